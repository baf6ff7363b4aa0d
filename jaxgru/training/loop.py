"""The training loop, from the first step to summary.json."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax

from jaxgru.training.checkpoint import Snapshot
from jaxgru.training.dispatch import Dispatcher, Report, is_due
from jaxgru.training.display import number, show_file, sizes, table, words
from jaxgru.training.errors import Interrupted, RunError, warn
from jaxgru.training.interrupts import Interrupts
from jaxgru.training.metrics import draw_curves
from jaxgru.training.run import versions
from jaxgru.training.step import FINISH, initial_state, state_shapes
from jaxgru.training.stopping import Best

if TYPE_CHECKING:
    from jaxgru.training.config import Config
    from jaxgru.training.display import Display
    from jaxgru.training.run import RunFolder
    from jaxgru.training.task import PyTree, Task


def train(
    task: Task, config: Config, run: RunFolder, show: Display, *, pictures: bool = True
) -> dict[str, Any]:
    """Trains until `train.steps` or until patience runs out, and leaves what a reader wants in `run`.

    Args:
      task: the application.
      config: the configuration the task was built from.
      run: the folder, claimed; if it holds a checkpoint, the run goes on from there.
      show: where people see the progress.
      pictures: whether the task leaves what people look at first.

    Returns:
      The contents of summary.json.

    Raises:
      RunError: for a loss that is not finite, under `train.nonfinite = "raise"`.
      Interrupted: after SIGTERM or Ctrl-C, with the run saved.
      OSError: where the run folder cannot be written.
    """
    with Interrupts() as interrupts:
        with interrupts.at_once():
            baseline, (state, best) = begin(task, config, run, show)
        dispatch = Dispatcher(task, config)
        try:
            while True:
                step = int(state.step)
                if is_due(step, config.run.evaluate_every, config) and step > best.evaluated:
                    with interrupts.at_once():
                        scores = task.evaluate(on_one_device(state.params), "validation")
                    best = best.after(step, scores[task.metric], higher_is_better=task.higher_is_better)
                    log_evaluation(run, show, step, scores, best)
                over = step >= config.train.steps or best.exhausted(config.train.patience)
                if over or is_due(step, config.run.save_every, config) or best.step == step > 0:
                    run.save(Snapshot(state, best))
                if over:
                    break
                interrupts.check()
                state, reports = dispatch(state)
                for report in reports:
                    log_step(config, run, report)
                show.advance(reports[-1].step, reports[-1].loss)
        except Interrupted:
            run.save(Snapshot(state, best))
            raise
        with interrupts.at_once():
            return finish(task, run, show, baseline, step, pictures=pictures)


def on_one_device(params: PyTree) -> PyTree:
    """The parameters for an evaluation: a split is read in one stream, which other devices would only read too.

    What lies on one device is left alone. To put it there again would bind it to that device, and the evaluation,
    which `finish` does with parameters that are bound to none, would be compiled a second time.
    """
    several = any(len(leaf.devices()) > 1 for leaf in jax.tree.leaves(params))
    return jax.device_put(params, jax.devices()[0]) if several else params


def begin(task: Task, config: Config, run: RunFolder, show: Display) -> tuple[dict[str, float], Snapshot]:
    """The baseline's scores, and the state to go on from."""
    show.say("computing the baseline and the initial state")
    noted = run.record(task)
    baseline = dict(noted["baseline"])
    if known := sizes(noted["facts"]):
        show.say(f"the data: {known}")
    if task.metric in baseline:
        show.say(f"the baseline's {words(task.metric)} on the test split is {number(baseline[task.metric])}")
    snapshot = run.resume(Snapshot(initial_state(task, config.train, config.seed), Best.none()))
    step = int(snapshot.state.step)
    show.say(f"going on from step {step}" if step else "starting at step 0: compiling the training step")
    return baseline, snapshot


def log_step(config: Config, run: RunFolder, report: Report) -> None:
    """Writes the row of a step, where one is due.

    Raises:
      RunError: for a step that is not finite, where the policy is to raise.
    """
    if not (math.isfinite(report.loss) and math.isfinite(report.grad_norm)):
        fault = f"loss {report.loss}, gradient norm {report.grad_norm} at step {report.step}"
        if config.train.nonfinite == "raise":
            mend = 'a lower train.learning_rate may help, or train.nonfinite="skip"'
            raise RunError(f"{fault}; {run.last_checkpoint()}; {mend}")
        warn(fault + "; the update is skipped" * (config.train.nonfinite == "skip"))
    if report.step % config.run.log_every == 0:
        run.metrics.log(report._asdict() | {"seconds": run.seconds()})


def log_evaluation(run: RunFolder, show: Display, step: int, scores: dict[str, float], best: Best) -> None:
    """Shows the scores on the validation split and writes their row."""
    run.metrics.log({"step": step} | {f"validation_{name}": score for name, score in scores.items()})
    show.evaluation(step, scores, is_best=bool(best.step == step))


def finish(
    task: Task, run: RunFolder, show: Display, baseline: dict[str, float], steps: int, *, pictures: bool
) -> dict[str, Any]:
    """Scores the best checkpoint on the test split, once, and writes what people look at first."""
    config = run.config
    show.say("scoring the best checkpoint on the test split")
    like = Snapshot(state_shapes(task, config.train, config.seed), Best.none())
    found = run.store.restore_best(like)
    if found is None:
        raise RunError(f"{run.path} holds no checkpoint that is whole")
    state, params = found[0].state, found[0].state.params
    scores = {split: task.evaluate(params, split) for split in ("test", "validation")}
    scores["baseline"] = baseline | ({task.metric: scores["test"][task.rival]} if task.rival else {})
    key = jax.random.fold_in(jax.random.key(config.seed), FINISH)
    written = task.finish(params, run.path, key) if pictures else []
    summary = {
        "task": task.name,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        **{split: of.get(task.metric) for split, of in scores.items()},
        "published": task.published,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
        "steps": steps,
        "seconds": run.seconds(),
        "seed": config.seed,
        "versions": versions(),
        "also": {"best_step": int(state.step)}
        | {f"{split}_{k}": v for split, of in scores.items() for k, v in of.items() if k != task.metric},
    }
    draw_curves(run.path / "curves.png", run.metrics.rows(), summary)
    run.finish(summary)
    show.say(table(summary))
    for path in [run.path / "curves.png", *written]:
        show.say(show_file(path))
    return summary
