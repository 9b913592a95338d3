// Pictures for READMEs as SVG files: readable on light and on dark pages.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace examples {

/// A picture of a given size in pixels, y downwards. Its colours are CSS classes that follow the reader's
/// choice of light or dark: "ink" (text, axes), "faint" (grid lines), and "s0" to "s5" (data).
class Svg {
 public:
  struct Point {
    double x, y;
  };
  enum class Anchor { start, middle, end };

  Svg(double width, double height) : width_(width), height_(height) {}

  void line(Point from, Point to, std::string_view style, double width = 1);
  void polyline(const std::vector<Point>& points, std::string_view style, double width = 1);
  /// `opacity` shades its colour: a heat map.
  void rectangle(Point corner, double width, double height, std::string_view style, double opacity = 1);
  /// The point is on the base line. `turned`: reads upwards.
  void text(Point at, std::string_view text, Anchor anchor = Anchor::start, bool turned = false);

  std::string to_string() const;
  /// Throws rondo::Error if the file cannot be written.
  void save(const std::string& path) const;

 private:
  double width_, height_;
  std::string body_;
};

struct Series {
  std::string name;
  std::vector<Svg::Point> points;  // those that are no number, or not above zero on a log scale, are left out
};

/// Lines over axes, with a legend.
struct LinePlot {
  std::string title, x_label, y_label;
  bool log_y = false;
  bool legend_below = false;   // in the lower left corner; else the upper left
  std::vector<Series> series;  // at most six
};

/// Plots side by side.
Svg draw(const std::vector<LinePlot>& plots);

/// Shaded cells with a label for each row and column; values from 0 (paper) to 1.
struct HeatMap {
  std::vector<std::string> rows, columns;
  std::vector<std::vector<double>> values;  // of a row, its columns
};

Svg draw_heat_map(const HeatMap& map);

}  // namespace examples
