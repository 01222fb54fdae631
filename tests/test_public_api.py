"""What others build on: the public names of `distill`, their signatures, and a guard against shadowed siblings."""

import inspect
import subprocess
import sys

import pytest

import distill

SIGNATURES = {
    "run": "(recipe, *, run_dir=None, fresh=False, on_event=None)",
    "run_async": "(recipe, *, run_dir=None, fresh=False, on_event=None)",
    "preview": "(recipe, *, rows=5, run_dir=None, on_event=None)",
    "recheck": "(run_dir, recipe=None, *, on_event=None)",
    "check": "(recipe, *, online=False)",
    "open_run": "(run_dir)",
    "load_recipe": "(recipe, *, set=None, env=None, need_env=True, base=None)",
    "verifier": "(function=None, *, isolated=True, needs_gold=False, timeout=10.0, of_thinking=False)",
}
TYPES = [
    *(
        "AttemptFailed",
        "BadRecord",
        "Case",
        "DistillError",
        "OpenRun",
        "Recipe",
        "Record",
        "Reply",
        "Request",
        "Result",
    ),
    *("Row", "Sample", "Settled", "Status", "Trace", "Usage", "Verdict"),
]


def test_every_public_name_resolves_and_no_other_is_there() -> None:
    assert sorted([*SIGNATURES, *TYPES, "Event"]) == sorted(distill.__all__)
    assert all(hasattr(distill, name) for name in distill.__all__)
    with pytest.raises(AttributeError, match="no `nonsense`"):
        _ = distill.nonsense


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(getattr(distill, name)).parameters.values()
    ]
    assert str(inspect.Signature(bare)) == SIGNATURES[name]


@pytest.mark.parametrize("name", TYPES)
def test_types_are_classes_with_a_docstring(name: str) -> None:
    kind = getattr(distill, name)
    assert inspect.isclass(kind) and kind.__doc__


def test_run_inside_a_loop_names_the_way_out() -> None:
    import asyncio

    async def inside() -> None:
        distill.run({"name": "x", "source": "files", "teacher": "openai"})

    with pytest.raises(distill.DistillError) as caught:
        asyncio.run(inside())
    assert "running event loop" in str(caught.value) and "run_async" in caught.value.help


def test_a_shadowed_sibling_is_named(tmp_path: object) -> None:
    decoy = f"{tmp_path}/verify.py"
    with open(decoy, "w") as file:  # noqa: PTH123
        file.write("raise SystemExit('the wrong one')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import distill"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "verify.py, not the `verify`" in done.stderr and "the wrong one" not in done.stderr
