"""The comparison with other libraries: what it computes, and what it reports of given results."""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

BUILD, ROOT = Path(sys.argv.pop(1)), Path(__file__).resolve().parent.parent.parent
COMPARE = ROOT / "benchmarks" / "compare"
sys.path.insert(0, str(COMPARE))

import plot  # noqa: E402
import report  # noqa: E402
from rows import SECTIONS, rows  # noqa: E402


def result(rondo, other, difference=0.0, section="train"):
    return {"built_in_us": None, "section": section, "flops": 1e6, "target": 1.2, "limit_us": 5.0, "time_us": {"rondo": rondo, "eigen": other},
            "difference": {"eigen": difference}, "left_out": {}}


class Compare(unittest.TestCase):
    def test_lstm_by_hand_agrees(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "results.json"
            subprocess.run([sys.executable, COMPARE / "compare.py", "--quick", "--build", BUILD, "--json", kept, "--rows",
                            "lstm-(infer|train)-H64-B1-T|lstm-stream-H8-", "--only-peers", r"^eigen g"],
                           check=True, capture_output=True)
            measured = json.loads(kept.read_text())["rows"]
        self.assertEqual(set(measured), {"own-lstm-infer-H64-B1-T50", "own-lstm-train-H64-B1-T50",
                                         "lstm-infer-H64-B1-T100", "lstm-train-H64-B1-T50", "lstm-stream-H8-B1-T1"})
        for name in measured:
            self.assertEqual(bool(measured[name]["built_in_us"]), name.startswith("own"))
        for name in [n for n in measured if not n.startswith("own")]:
            self.assertLess(measured[name]["difference"]["eigen g++"], 1e-4, name)

    def test_lines_tell_what_is_short_and_what_differs(self):
        self.assertIn("SHORT", report.line("row", result(10, 11)))
        self.assertNotIn("SHORT", report.line("row", result(10, 13)))
        self.assertNotIn("DIFFERS", report.line("row", result(10, 13, 1e-5)))
        self.assertIn("DIFFERS from eigen", report.line("row", result(10, 13, 0.1)))
        self.assertIn("DIFFERS from eigen", report.line("row", result(10, 13, float("nan"))))

    def test_table_and_picture_have_every_row(self):
        results = {"machine": "a <machine>", "rows": {r.name: result(10, 13, section=r.section) for r in rows()}}
        table, picture = report.table(results, SECTIONS), plot.draw(results)
        words = [t.text for t in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
        self.assertEqual(sum("eigen" in w for w in words), len(rows()))
        for row in rows():
            self.assertIn(f"| {row.name} | eigen | 13.0 us | 10.0 us | 100.0 | 50% | 1.30 |", table)

    def test_rows_have_names_of_their_own(self):
        self.assertEqual(len({r.name for r in rows()}), len(rows()))


if __name__ == "__main__":
    unittest.main()
