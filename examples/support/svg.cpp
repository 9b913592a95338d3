#include "examples/support/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "runtime/files.h"
#include "support/error.h"

namespace examples {
namespace {

// The data's colours are those of Okabe and Ito (2008), which the colour-blind tell apart; lighter on dark
// paper.
constexpr std::string_view kStyle = R"(<style>
text { font: 13px sans-serif; fill: #24292f }
.paper { fill: #ffffff }
.ink { stroke: #57606a; fill: #57606a }
.faint { stroke: #d8dee4; fill: #d8dee4 }
.s0 { stroke: #0072b2; fill: #0072b2 }
.s1 { stroke: #d55e00; fill: #d55e00 }
.s2 { stroke: #009e73; fill: #009e73 }
.s3 { stroke: #b0478a; fill: #b0478a }
.s4 { stroke: #a07800; fill: #a07800 }
.s5 { stroke: #6f42c1; fill: #6f42c1 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.paper { fill: #0d1117 }
.ink { stroke: #9198a1; fill: #9198a1 }
.faint { stroke: #2d333b; fill: #2d333b }
.s0 { stroke: #56b4e9; fill: #56b4e9 }
.s1 { stroke: #f0883e; fill: #f0883e }
.s2 { stroke: #2dc79b; fill: #2dc79b }
.s3 { stroke: #e79bc7; fill: #e79bc7 }
.s4 { stroke: #e3c04f; fill: #e3c04f }
.s5 { stroke: #b392f0; fill: #b392f0 }
}
</style>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

/// One axis: from values to pixels, and where its ticks are.
class Axis {
 public:
  /// Of these values. `low`, `high`: the pixels of its ends.
  Axis(const std::vector<double>& values, bool log, double low, double high)
      : log_(log), low_(low), high_(high) {
    for (const double v : values) {
      if (!shows(v)) continue;
      first_ = std::min(first_, scaled(v));
      last_ = std::max(last_, scaled(v));
    }
    if (first_ > last_) first_ = 0, last_ = 1;
    if (last_ - first_ < 1e-12) first_ -= 0.5, last_ += 0.5;
    step_ = std::pow(10, std::floor(std::log10((last_ - first_) / 4)));
    for (const double times : {2.0, 2.5, 2.0})  // 1, 2, 5, 10 ...
      if ((last_ - first_) / step_ > 6) step_ *= times;
    if (log) step_ = std::max(1.0, std::round(step_));
    first_ = std::floor(first_ / step_ + 1e-9) * step_;
    last_ = std::ceil(last_ / step_ - 1e-9) * step_;
  }

  bool shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }
  double pixel(double value) const { return place(scaled(value)); }

  struct Tick {
    double pixel;
    std::string label;
  };
  std::vector<Tick> ticks() const {
    std::vector<Tick> ticks;
    for (int i = 0; i <= std::lround((last_ - first_) / step_); ++i) {
      const double at = first_ + i * step_;
      const bool zero = std::abs(at) < step_ / 2;
      ticks.push_back({place(at), log_ ? power_of_ten(static_cast<int>(std::lround(at)))
                                       : fmt::format("{:.6g}", zero ? 0 : at)});
    }
    return ticks;
  }

 private:
  double scaled(double value) const { return log_ ? std::log10(value) : value; }
  double place(double at) const { return low_ + (at - first_) / (last_ - first_) * (high_ - low_); }

  static std::string power_of_ten(int power) {
    static constexpr std::string_view kRaised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    std::string text = power < 0 ? "10⁻" : "10";
    for (const char digit : std::to_string(std::abs(power))) text += kRaised[digit - '0'];
    return text;
  }

  bool log_;
  double low_, high_;
  double first_ = 1e300, last_ = -1e300, step_ = 1;  // of the scaled values
};

constexpr double kWidth = 420, kHeight = 330;  // of a plot
constexpr double kLeft = 66, kRight = 20, kTop = 34, kBottom = 48;

/// In the upper or lower left corner of the axes.
void draw_legend(Svg& svg, const LinePlot& plot, double left) {
  const double row = 18, rows = static_cast<double>(plot.series.size());
  const double top = plot.legend_below ? kHeight - kBottom - 12 - row * (rows - 1) : kTop + 14;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const double y = top + row * static_cast<double>(i);
    svg.line({left, y}, {left + 22, y}, fmt::format("s{}", i), 2);
    svg.text({left + 28, y + 4}, plot.series[i].name);
  }
}

void draw_plot(Svg& svg, const LinePlot& plot, double left) {
  const double x0 = left + kLeft, x1 = left + kWidth - kRight, y0 = kHeight - kBottom, y1 = kTop;
  std::vector<double> xs, ys;
  for (const Series& s : plot.series)
    for (const Svg::Point& p : s.points) xs.push_back(p.x), ys.push_back(p.y);
  const Axis x(xs, false, x0, x1), y(ys, plot.log_y, y0, y1);

  for (const Axis::Tick& tick : x.ticks()) {
    svg.line({tick.pixel, y0}, {tick.pixel, y1}, "faint");
    svg.text({tick.pixel, y0 + 18}, tick.label, Svg::Anchor::middle);
  }
  for (const Axis::Tick& tick : y.ticks()) {
    svg.line({x0, tick.pixel}, {x1, tick.pixel}, "faint");
    svg.text({x0 - 6, tick.pixel + 4}, tick.label, Svg::Anchor::end);
  }
  svg.polyline({{x0, y1}, {x0, y0}, {x1, y0}}, "ink");
  svg.text({(x0 + x1) / 2, y1 - 14}, plot.title, Svg::Anchor::middle);
  svg.text({(x0 + x1) / 2, y0 + 38}, plot.x_label, Svg::Anchor::middle);
  svg.text({left + 16, (y0 + y1) / 2}, plot.y_label, Svg::Anchor::middle, true);

  for (size_t i = 0; i < plot.series.size(); ++i) {
    std::vector<Svg::Point> points;
    for (const Svg::Point& p : plot.series[i].points)
      if (std::isfinite(p.x) && y.shows(p.y)) points.push_back({x.pixel(p.x), y.pixel(p.y)});
    svg.polyline(points, fmt::format("s{}", i), 2);
  }
  draw_legend(svg, plot, x0 + 12);
}

}  // namespace

void Svg::line(Point from, Point to, std::string_view style, double width) {
  polyline({from, to}, style, width);
}

void Svg::polyline(const std::vector<Point>& points, std::string_view style, double width) {
  body_ += fmt::format("<polyline class=\"{}\" style=\"fill:none;stroke-width:{}\" points=\"", style, width);
  for (const Point& p : points) body_ += fmt::format("{:.1f},{:.1f} ", p.x, p.y);
  body_ += "\"/>\n";
}

void Svg::rectangle(Point corner, double width, double height, std::string_view style, double opacity) {
  body_ += fmt::format(
      "<rect class=\"{}\" style=\"stroke:none;opacity:{:.3f}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
      "height=\"{:.1f}\"/>\n",
      style, opacity, corner.x, corner.y, width, height);
}

void Svg::text(Point at, std::string_view text, Anchor anchor, bool turned) {
  static constexpr std::string_view kAnchor[] = {"start", "middle", "end"};
  const std::string turn = turned ? fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", at.x, at.y) : "";
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", at.x, at.y,
                       kAnchor[static_cast<int>(anchor)], turn, escaped(text));
}

std::string Svg::to_string() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n{2}"
      "<rect class=\"paper\" width=\"{0}\" height=\"{1}\"/>\n{3}</svg>\n",
      width_, height_, kStyle, body_);
}

void Svg::save(const std::string& path) const {
  const std::string text = to_string();
  rondo::OutputFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

Svg draw(const std::vector<LinePlot>& plots) {
  Svg svg(kWidth * static_cast<double>(plots.size()), kHeight);
  for (size_t i = 0; i < plots.size(); ++i) draw_plot(svg, plots[i], kWidth * static_cast<double>(i));
  return svg;
}

Svg draw_heat_map(const HeatMap& map) {
  constexpr double kCell = 16, kLabel = 22;
  auto place = [&](size_t i) { return kLabel + kCell * static_cast<double>(i); };
  Svg svg(place(map.columns.size()) + 4, place(map.rows.size()) + 4);
  for (size_t c = 0; c < map.columns.size(); ++c)
    svg.text({place(c) + kCell / 2, kLabel - 7}, map.columns[c], Svg::Anchor::middle);
  for (size_t r = 0; r < map.rows.size(); ++r) {
    svg.text({kLabel - 7, place(r) + 12}, map.rows[r], Svg::Anchor::end);
    svg.line({kLabel, place(r) + kCell}, {place(map.columns.size()), place(r) + kCell}, "faint");
    for (size_t c = 0; c < map.columns.size(); ++c)
      if (map.values[r][c] >= 0.01)  // the rest is not to be seen
        svg.rectangle({place(c), place(r)}, kCell - 1, kCell - 1, "s0", map.values[r][c]);
  }
  return svg;
}

}  // namespace examples
