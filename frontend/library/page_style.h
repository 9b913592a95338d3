// The parts of the page of a library that are the same for all: see page.cpp.
#pragma once

namespace rondo::library {

inline constexpr const char* kPageHelp =
    "Each function from its declaration to machine code, left to right. A heading folds its stage. What a "
    "pass "
    "has changed is marked. A name, clicked, is marked everywhere, and leads to the next stage that has it.";

inline constexpr const char* kPageStyle = R"css(
:root { color-scheme: light dark; --ink: #1d2329; --soft: #5d6975; --page: #fbfbfa; --sheet: #fff;
  --line: #d9dde1; --link: #14568c; --new: #e6f3e3; --on: #ffe08a; }
@media (prefers-color-scheme: dark) { :root { --ink: #dde2e6; --soft: #929da8; --page: #15181b;
  --sheet: #1c2024; --line: #363d44; --link: #8cc0ee; --new: #223a26; --on: #7a5c00; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, h2, section > p { margin: 0; padding: .6rem 1.2rem 0; }
h1 { display: inline; font-size: 1.4rem; }
h2 { font-size: 1.15rem; }
nav { display: inline; margin-left: 1rem; }
nav a { margin-right: .8rem; }
p { margin: .3rem 0; color: var(--soft); max-width: 60rem; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
.stages { display: flex; gap: .5rem; overflow-x: auto; padding: .6rem 1.2rem 1.2rem; }
.stage { flex: none; height: 78vh; overflow: auto; background: var(--sheet); border: 1px solid var(--line);
  border-radius: 6px; }
.stage[open] { width: max(30rem, 46vw); }
summary { position: sticky; top: 0; left: 0; padding: .35rem .7rem; background: var(--sheet); cursor: pointer;
  font-weight: 600; border-bottom: 1px solid var(--line); }
.stage:not([open]) { width: 2.3rem; overflow: hidden; white-space: nowrap; writing-mode: vertical-rl; }
.stage:not([open]) summary { height: 100%; padding: .7rem .35rem; border: 0; }
div.stage { padding: .7rem .35rem; border-style: dashed; color: var(--soft); }
pre { margin: 0; padding: .5rem .7rem; font: 12.5px/1.5 ui-monospace, monospace; tab-size: 8; }
mark { background: var(--new); color: inherit; }
pre a.on, pre a:target { background: var(--on); color: inherit; border-radius: 3px; }
)css";

inline constexpr const char* kPageScript = R"js(
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-n]');
  if (!link) return;
  for (const other of document.querySelectorAll('a.on')) other.classList.remove('on');
  const same = `a[data-n="${CSS.escape(link.dataset.n)}"]`;
  for (const other of link.closest('section').querySelectorAll(same)) other.classList.add('on');
  document.getElementById(link.hash.slice(1)).closest('details').open = true;
});
)js";

}  // namespace rondo::library
