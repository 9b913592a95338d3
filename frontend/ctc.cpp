#include "frontend/ctc.h"

#include <utility>

#include "frontend/lengths.h"
#include "frontend/scan.h"

namespace rondo {
namespace {

// log 0 as a number: sums over all steps stay finite, so that no difference of two is no number, and exp of
// it is 0.
constexpr double kLogZero = -1e30;

/// log(exp a + exp b)
Tensor log_add(const Tensor& a, const Tensor& b) {
  const Tensor m = detach(max(a, b));
  return m + log(exp(a - m) + exp(b - m));
}

/// Element i - 1 along the leading dim; element 0 stays.
Tensor shifted(const Tensor& x) { return gather(x, max(iota({x.dim(0)}, 0) - 1, 0)); }

/// Log probabilities of all beginnings of alignments: those that end with a blank before the first label,
/// with label l, and with a blank after label l.
struct Forward {
  Tensor before, label, after;  // [B], [L,B], [L,B]
};

class Ctc {
 public:
  Ctc(Tensor labels, int64_t blank)
      : labels_(std::move(labels)), row_(iota(labels_.shape(), 0)), blank_(blank) {}

  /// Before the first step.
  Forward start() const {
    const Tensor nothing = constant(kLogZero, labels_.shape());
    return {zeros({labels_.dim(1)}), nothing, nothing};
  }

  /// A label follows itself, the blank before it, or the label before it if that is another one.
  Forward step(const Forward& f, const Tensor& log_p) const {
    const Tensor is_first = equal(row_, 0), repeats = equal(labels_, shifted(labels_));
    const Tensor blank = sum(select(equal(iota(log_p.shape(), -1), blank_), log_p, 0), -1);
    const Tensor of_label = sum(select(chosen(log_p), expand_rows(log_p), 0), -1);
    const Tensor blank_before = select(is_first, f.before, shifted(f.after));
    const Tensor label_before = select(repeats, kLogZero, shifted(f.label));
    return {f.before + blank, of_label + log_add(log_add(f.label, blank_before), label_before),
            blank + log_add(f.after, f.label)};
  }

  /// Of the alignments that end with the last label or a blank after it.
  Tensor total(const Forward& f, const Tensor& label_lengths) const {
    const Tensor is_last = equal(row_, label_lengths - 1);
    const Tensor ends = sum(select(is_last, log_add(f.label, f.after), 0), 0);
    return select(equal(label_lengths, 0), f.before, ends);
  }

 private:
  /// [L,B,V]: whether the class is the label's.
  Tensor chosen(const Tensor& log_p) const {
    const Tensor ids = expand(labels_, -1, log_p.dim(-1));
    return equal(ids, iota(ids.shape(), -1));
  }
  Tensor expand_rows(const Tensor& log_p) const { return expand(log_p, 0, labels_.dim(0)); }

  Tensor labels_, row_;
  double blank_;
};

}  // namespace

Tensor ctc(Operand logits, Operand labels, Operand input_lengths, Operand label_lengths,
           const CtcOptions& options) {
  LibraryCall call("ctc", logits.where());
  const Tensor x = logits;
  if (x.rank() != 3 || labels.tensor().rank() != 2)
    fail("logits are [T,B,V] and labels [L,B]; here they are " + ir::to_string(x.type()) + " and " +
             ir::to_string(labels.tensor().type()),
         logits.where());
  const Dim& classes = x.dim(-1);
  if (options.blank < 0 || (!classes.is_named() && options.blank >= classes.size()))
    fail("blank " + std::to_string(options.blank) + " is no class of " + ir::to_string(x.type()),
         logits.where());
  const Ctc rows(check_ids(labels, classes), options.blank);
  const Tensor log_p = max(log_softmax(logits), kLogZero);
  struct Step {
    Tensor log_p, goes_on;
  };
  const Forward last =
      scan(rows.start(), Step{log_p, mask_of(input_lengths, x.dim(0))}, [&](const Forward& f, const Step& s) {
        const Forward next = rows.step(f, s.log_p);
        return Forward{select(s.goes_on, next.before, f.before), select(s.goes_on, next.label, f.label),
                       select(s.goes_on, next.after, f.after)};
      });
  const Tensor loss = -rows.total(last, check_lengths(label_lengths, labels.tensor().dim(0)));
  const Tensor fits = less(loss, -kLogZero / 2);
  return select(fits, loss, options.zero_infinity ? zeros(loss.shape()) : detach(exp(loss)));
}

}  // namespace rondo
