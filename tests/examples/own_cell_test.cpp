#include "tests/examples/example.h"

namespace rondo::testing {
namespace {

TEST(OwnCell, EachLearnsStreamsAndIsTimed) {
  const std::string all = run_example("own_cell --updates 2000 --steps 30 --hidden 16 --repeats 3");
  const std::string text = all.substr(0, all.find("\n\n"));  // the first table
  for (const char* cell :
       {"LSTM, built in", "minGRU", "SRU", "SRU, linear", "peephole LSTM", "layer-norm LSTM", "follower"}) {
    const std::string row = "\n" + std::string(cell) + " ";
    EXPECT_LT(number_after(text, row), 0.03) << cell << ": knowing nothing is 1/12\n" << text;
    const std::string line = text.substr(text.find(row) + 1);
    EXPECT_NE(line.substr(0, line.find('\n')).find(" yes"), std::string::npos)
        << "a step is not to the bit the run's\n"
        << text;
  }
}

}  // namespace
}  // namespace rondo::testing
