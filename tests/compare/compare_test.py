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

import explain  # noqa: E402
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

    def test_all_keep_to_a_level_of_the_cpu(self):
        if "avx2" not in Path("/proc/cpuinfo").read_text():
            self.skipTest("no AVX2 here")
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "results.json"
            command = [sys.executable, COMPARE / "compare.py", "--quick", "--build", BUILD, "--json", kept, "--rows",
                       "lstm-stream-H8-", "--only-peers", r"^eigen g"]
            told = subprocess.run(command + ["--cpu", "x86-64-v3"], check=True, capture_output=True, text=True)
            measured = json.loads(kept.read_text())
            other = subprocess.run(command, capture_output=True, text=True)
        for chooser in ["onnxruntime", "jax"]:
            self.assertIn(f"left out: {chooser}: chooses its instructions by itself", told.stderr)
        self.assertEqual(measured["cpu"], "x86-64-v3")
        self.assertLess(measured["rows"]["lstm-stream-H8-B1-T1"]["difference"]["eigen g++"], 1e-4)
        self.assertTrue((BUILD / "compare" / "x86-64-v3" / "eigen-g++-stream-8").exists())
        self.assertIn("has results of cpu 'x86-64-v3'", other.stderr)
        self.assertNotEqual(other.returncode, 0)

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

    def test_parts_of_a_row_add_up(self):
        kernel = dict(products_us=0, operations_us=0, memory_us=0, chain_us=0, packing_us=0)
        found = {"time_us": 100, "elsewhere_us": 3, "kernels": [
            {**kernel, "time_us": 60, "products_us": 40, "operations_us": 5, "memory_us": 48, "packing_us": 4, "least_us": 52},
            {**kernel, "time_us": 30, "operations_us": 10, "chain_us": 12, "least_us": 12},
            {**kernel, "time_us": 7, "packing_us": 5, "least_us": 5}]}
        shares = explain.parts(found)
        for name, share in [("products", 0.40), ("operations", 0.15), ("memory", 0.03), ("chain", 0.02), ("packing", 0.09),
                            ("parts take", 0.69), ("more in products", 0.08), ("more elsewhere", 0.23),
                            ("memory in all", 0.48)]:
            self.assertAlmostEqual(shares[name], share, msg=name)
        self.assertEqual("other kernels, beyond their parts: 23%", explain.reason({**shares, "target leaves": 0.8}))
        self.assertEqual("the parts alone take more than the target leaves; gates and other operations: 15%",
                         explain.reason({**shares, "target leaves": 0.6}))
        self.assertEqual("at its target", explain.reason({**shares, "target leaves": 1.1}))

    def test_rows_that_fall_short_are_explained(self):
        with tempfile.TemporaryDirectory() as folder:
            results, written = Path(folder) / "results.json", Path(folder) / "table.md"
            results.write_text(json.dumps({"rows": {"lstm-stream-H8-B1-T1": result(10, 11), "gru-stream-H8-B1-T1": result(10, 20)}}))
            subprocess.run([sys.executable, COMPARE / "explain.py", results, "--build", BUILD, "--seconds", "0.1", "--table", written],
                           check=True, capture_output=True)
            lines = written.read_text().splitlines()
        self.assertEqual([line.split(" | ")[0] for line in lines[2:]], ["| lstm-stream-H8-B1-T1"])

    def test_threads_have_a_table_of_their_own(self):
        table = report.threads_table({"rows": {"row": {**result(10, 13), "one_thread_us": 19.0}}})
        self.assertIn("| row | eigen | 13.0 us | 10.0 us | 19.0 us | 1.30 | 1.90 |", table)

    def test_rows_have_names_of_their_own(self):
        self.assertEqual(len({r.name for r in rows()}), len(rows()))


if __name__ == "__main__":
    unittest.main()
