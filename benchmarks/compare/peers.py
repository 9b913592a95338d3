"""Finds the peers that are on this machine, builds the small programs that drive them, and talks to them."""
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EIGEN = [Path("/usr/include/eigen3"), Path("/usr/local/include/eigen3")]


# How libraries are told to keep to a level of x86-64, each in a word of its own.
ISA = {"x86-64-v3": {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
                     "MKL_ENABLE_INSTRUCTIONS": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}}


class Peer:
    """A program that does rows. `command(row)` is what starts it, or None for a row that it does not do."""

    def __init__(self, name, command, note=""):
        self.name, self.command, self.note = name, command, note
        self.process, self.running = None, None

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended at: {line}")
        return answer.strip()

    def setup(self, row, data, out):
        """Returns why the peer does not do the row, or an empty string."""
        command = self.command(row)
        if command is None:
            return "not its row"
        if command != self.running:
            self.stop()
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.running = command
        answer = self.ask(f"setup {row.settings()} data={data} out={out}")
        return "" if answer == "ready" else answer

    def seconds(self, wanted):
        return float(self.ask(f"time {wanted}"))

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process, self.running = None, None


def rondo(build):
    return Peer("rondo", lambda row: [str(Path(build) / "bin" / "compare_rondo")])


class Builder:
    def __init__(self, folder, cpu):
        self.folder, self.cpu = folder, cpu or "native"
        folder.mkdir(parents=True, exist_ok=True)

    def program(self, name, compiler, source, flags):
        """The program's path, built where it is older than its sources."""
        program, sources = self.folder / name, [HERE / source, HERE / "peer.h"]
        if program.exists() and all(program.stat().st_mtime > s.stat().st_mtime for s in sources):
            return program
        command = [compiler, "-std=c++20", "-O3", f"-march={self.cpu}", "-w", f"-I{ROOT}", str(HERE / source), "-o",
                   str(program), *flags]
        built = subprocess.run(command, capture_output=True, text=True)
        if built.returncode:
            errors = [line for line in built.stderr.splitlines() if "error" in line]
            raise RuntimeError((errors or [built.stderr])[0])
        return program


def sized(builder, name, compiler, source, flags):
    """A peer whose programs are built for one hidden size each; it does single steps."""
    def command(row):
        if row.mode != "stream" or row.cell not in ("lstm", "gru"):
            return None
        return [str(builder.program(f"{name}-{row.hidden}", compiler, source, [f"-DHIDDEN={row.hidden}", *flags]))]
    return command


def find_eigen(builder, threads, found, missing):
    include = next((p for p in EIGEN if p.exists()), None)
    if not include:
        missing["eigen"] = "no Eigen headers"
        return
    for compiler in ["g++", "clang++"]:
        if not shutil.which(compiler):
            missing[f"eigen {compiler}"] = "no compiler"
            continue
        name, flags = f"eigen-{compiler}", [f"-isystem{include}"]
        if threads > 1:
            name, flags = name + "-omp", flags + ["-fopenmp"]
        step = sized(builder, name + "-stream", compiler, "eigen_stream_peer.cpp", flags)

        def command(row, name=name, compiler=compiler, flags=flags, step=step):
            if row.mode == "stream":
                return step(row) if row.cell == "lstm" else None
            if row.cell != "lstm" or row.layers > 1 or row.vocabulary:
                return None
            return [str(builder.program(name, compiler, "eigen_peer.cpp", flags))]
        found.append(Peer(f"eigen {compiler}", command, "written by hand over Eigen"))


def find_rtneural(builder, rtneural, xsimd, found, missing):
    if not rtneural:
        missing["rtneural"] = "give --rtneural FOLDER of its sources"
        return
    modules = Path(rtneural) / "modules"
    simd = Path(xsimd) / "include" if xsimd else modules / "xsimd/include"
    common = [f"-I{rtneural}", f"-I{modules / 'json'}"]
    backends = {"xsimd": [f"-isystem{simd}", "-DRTNEURAL_USE_XSIMD=1", "-DRTNEURAL_DEFAULT_ALIGNMENT=64"],
                "eigen": [f"-isystem{modules / 'Eigen'}", "-DRTNEURAL_USE_EIGEN=1", "-DRTNEURAL_DEFAULT_ALIGNMENT=32"]}
    for backend, flags in backends.items():
        for compiler in [c for c in ["g++", "clang++"] if shutil.which(c)]:
            name = f"rtneural-{backend}-{compiler}"
            found.append(Peer(f"rtneural {backend} {compiler}",
                              sized(builder, name, compiler, "rtneural_peer.cpp", common + flags)))


def find_onednn(builder, found, missing):
    try:
        program = builder.program("onednn", "g++", "onednn_peer.cpp", ["-ldnnl"])
    except RuntimeError as error:
        missing["onednn"] = str(error)
        return
    found.append(Peer("onednn", lambda row: [str(program)] if row.cell in ("lstm", "gru", "rnn")
                      and not row.vocabulary else None))


def find_python(python, module, script, threads, found, missing, does):
    version = subprocess.run([python, "-c", f"import {module}; print({module}.__version__)"], capture_output=True,
                             text=True)
    if version.returncode:
        missing[module] = version.stderr.strip().splitlines()[-1]
        return
    command = [python, str(HERE / script), str(threads)]
    found.append(Peer(module, lambda row: command if does(row) else None, version.stdout.strip()))


def find_peers(options, build):
    """The peers that are there, and why others are not."""
    found, missing, builder = [], {}, Builder(build / "compare" / options.cpu, options.cpu)
    find_eigen(builder, options.threads, found, missing)
    find_rtneural(builder, options.rtneural, options.xsimd, found, missing)
    find_onednn(builder, found, missing)
    find_python(options.python, "torch", "torch_peer.py", options.threads, found, missing, lambda row: True)
    if options.cpu:  # XLA does so for products, whatever --xla_cpu_max_isa says
        missing["onnxruntime"] = missing["jax"] = "chooses its instructions by itself"
    else:
        find_python(options.python, "jax", "jax_peer.py", options.threads, found, missing, lambda row: True)
        find_python(options.python, "onnxruntime", "ort_peer.py", options.threads, found, missing,
                    lambda row: row.mode != "train" and not row.vocabulary)
    return found, missing


def environment(threads, cpu):
    """So many threads for all libraries, and no instructions beyond the CPU's; OpenBLAS picks its own kernels."""
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "DNNL_NUM_THREADS"]:
        os.environ[name] = str(threads)
    for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]:
        os.environ.pop(name, None)
    os.environ.update(ISA.get(cpu, {}))
