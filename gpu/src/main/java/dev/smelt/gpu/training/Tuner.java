package dev.smelt.gpu.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.DeviceException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Autograd;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Trains a few parameters of a network for a few steps, all others frozen. The values change in the
 * network itself; {@link Network#values} reads them.
 */
public final class Tuner {

  private final Network student;
  private final Dataset data;
  private final TuneOptions options;
  private final Objective objective;
  private final double[] losses;

  private Tuner(Network student, Dataset data, TuneOptions options, Optional<Network> teacher) {
    this.student = student;
    this.data = data;
    this.options = options;
    this.objective = new Objective(teacher, options.distillation());
    this.losses = new double[options.steps()];
  }

  /**
   * Minimises the cross entropy of labels or next tokens, or, with a teacher, what {@link
   * TuneOptions#distillation} mixes of it and the divergence from the teacher's predictions.
   * Results depend on nothing but the arguments and the number of threads.
   *
   * @param parameters names of what is trained, at least one
   * @param teacher a network for the same data with as many classes, such as the uncompressed one
   * @throws NotFoundException when the network has no such parameter
   * @throws UnsupportedException for a TorchScript module
   * @throws NonFiniteException when the loss leaves the numbers
   * @throws DeviceException when memory runs out
   */
  public static Tuned tune(
      Network student,
      Dataset data,
      Set<String> parameters,
      TuneOptions options,
      Optional<Network> teacher,
      Progress progress) {
    if (parameters.isEmpty()) {
      throw new IllegalArgumentException("no parameter to tune");
    }
    if (student.model().singleExamples().isPresent()) {
      throw new UnsupportedException(
          "cannot tune a TorchScript module", "", "", "tune the network that config.json names");
    }
    List<NDArray> leaves = new ArrayList<>();
    long trained = 0;
    for (String name : parameters.stream().sorted().toList()) {
      Parameter parameter = student.learned(name);
      leaves.add(parameter.value());
      trained += parameter.info().elements();
    }
    Tuner tuner = new Tuner(student, data, options, teacher);
    leaves.forEach(leaf -> leaf.setRequiresGradient(true));
    try {
      Autograd.unrecorded(() -> tuner.run(leaves, progress));
    } finally {
      leaves.forEach(leaf -> leaf.setRequiresGradient(false));
    }
    return new Tuned(tuner.losses, trained, (long) options.steps() * options.batch());
  }

  private void run(List<NDArray> leaves, Progress progress) {
    ExampleOrder order = new ExampleOrder(data.examples().size(), options.seed());
    try (AdamW adam =
            new AdamW(student.device().scope(), student.device().functions(), leaves, options);
        Progress.Task task = progress.begin("tuning", options.steps(), "steps")) {
      for (int step = 0; step < options.steps(); step++) {
        int at = step;
        Batch batch = Batch.of(0, examples(order));
        student.device().step("tuning", manager -> step(manager, at, batch, adam));
        task.advance(1);
      }
    }
  }

  private List<Example> examples(ExampleOrder order) {
    return order.take(options.batch()).stream().map(data.examples()::get).toList();
  }

  private void step(NDManager manager, int step, Batch batch, AdamW adam) {
    NDArray logits = Autograd.recorded(() -> student.model().logits(manager, batch, Tape.off()));
    Objective.Found found = objective.of(manager, logits, batch);
    losses[step] = found.value();
    if (!Double.isFinite(found.value())) {
      throw notFinite("loss", found.value(), step);
    }
    Autograd.backward(logits, found.gradient(), false);
    double norm = adam.step(manager);
    if (!Double.isFinite(norm)) {
      throw notFinite("gradient", norm, step);
    }
  }

  private static NonFiniteException notFinite(String what, double found, int step) {
    return new NonFiniteException(
        what + " is not finite", "step " + (step + 1), "found " + found, "use a smaller --lr");
  }
}
