package dev.smelt.bench;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.Merger;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Values;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.plan.MergePlanner;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Merging of two models of 1 GB of BF16 beside reading them and writing one by plain copies, in
 * this process, and the whole command. Files that are timed in this process are never flushed.
 */
final class MergeSpeedBench {

  private static final int RUNS = 4;

  /** Copied in one job. */
  private static final long PIECE = 1L << 23;

  private static final RandomLlama SHAPE = new RandomLlama(2048, 5504, 10, DType.BF16);

  private final PrintStream out;
  private final Path launcher;
  private final Path folder;
  private final int threads = Runtime.getRuntime().availableProcessors();

  /**
   * What is timed.
   *
   * @param models of these one is written, the others are read as well
   */
  private record Subject(String name, List<Path> models, Runnable work) {}

  private MergeSpeedBench(PrintStream out, Path launcher, Path folder) {
    this.out = out;
    this.launcher = launcher;
    this.folder = folder;
  }

  static void run(Path launcher, PrintStream out) {
    try (TempFolder temporary = TempFolder.make()) {
      new MergeSpeedBench(out, launcher, temporary.path()).measure();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void measure() throws IOException {
    for (String name : List.of("a", "b", "base")) {
      SHAPE.make(folder.resolve(name), name.hashCode());
      fisher(folder.resolve(name), folder.resolve(name + ".fisher.safetensors"));
    }
    List<Subject> subjects =
        List.of(
            merge("linear", Map.of("weight", List.of(0.6, 0.4)), false),
            merge("linear", Map.of(), false),
            merge("slerp", Map.of(), false),
            merge("task_arithmetic", Map.of(), true),
            merge("ties", Map.of("density", List.of(0.5)), true),
            merge("dare_ties", Map.of("density", List.of(0.5)), true),
            merge("fisher", Map.of(), false));
    out.printf(
        "## Merging: models of %.2f GB of BF16, %d threads%n%n",
        bytes(folder.resolve("a")) / 1e9, threads);
    out.println("| | s | plain copies of its inputs and output, s | ratio |");
    out.println("|---|---|---|---|");
    for (Subject subject : subjects) {
      row(subject);
    }
    command();
  }

  private void row(Subject subject) {
    double copy = Double.POSITIVE_INFINITY;
    double merge = Double.POSITIVE_INFINITY;
    // In turn, so that both meet the same load on the machine.
    for (int i = 0; i < RUNS; i++) {
      copy = Math.min(copy, seconds(() -> copy(subject.models())));
      merge = Math.min(merge, seconds(subject.work()));
    }
    out.printf("| %s | %.2f | %.2f | %.2f |%n", subject.name(), merge, copy, merge / copy);
  }

  private static double seconds(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) / 1e9;
  }

  private Subject merge(String name, Map<String, List<Double>> parameters, boolean onBase) {
    MethodDescription method = MergeMethods.named(name).orElseThrow();
    boolean onFisher = method.inputs().data() == MethodDescription.Data.FISHER;
    List<Path> models = new ArrayList<>();
    for (String model : onBase ? List.of("base", "a", "b") : List.of("a", "b")) {
      models.add(folder.resolve(model));
      if (onFisher) {
        models.add(folder.resolve(model + ".fisher.safetensors"));
      }
    }
    Map<String, Values.Given> given = new HashMap<>();
    parameters.forEach((key, values) -> given.put(key, new Values.Given(key, values)));
    Values values = new Values(method, 2, onBase, given);
    String label = name + (parameters.isEmpty() ? "" : " " + parameters);
    return new Subject(
        label + (onFisher ? " with F32 Fisher information" : ""),
        models,
        () -> merge(method, values, onBase, onFisher));
  }

  private void merge(MethodDescription method, Values values, boolean onBase, boolean onFisher) {
    List<MergeInput> inputs = new ArrayList<>();
    for (String model : onBase ? List.of("base", "a", "b") : List.of("a", "b")) {
      Checkpoint checkpoint = Checkpoint.open(folder.resolve(model));
      Optional<Statistics> statistics = Optional.empty();
      if (onFisher) {
        statistics = Optional.of(Statistics.open(folder.resolve(model + ".fisher.safetensors")));
      }
      inputs.add(new MergeInput(checkpoint, "", statistics));
    }
    MergeOptions options = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, true, false);
    MergePlan plan = MergePlanner.plan(inputs, method.factory().create(values), options);
    Merger merger = new Merger(plan, false, threads, LinearAlgebra::reference);
    try (CheckpointWriter writer = writer(Merger.outputs(plan))) {
      merger.run(merger.prepare(), writer, Progress.NONE);
    }
    inputs.forEach(input -> input.checkpoint().close());
    inputs.forEach(input -> input.statistics().ifPresent(Statistics::close));
  }

  private CheckpointWriter writer(List<TensorInfo> tensors) {
    return CheckpointWriter.create(
        OutputOptions.to(folder.resolve("out.safetensors")),
        new CheckpointWriter.Content(tensors, Map.of(), Optional.empty(), List.of()));
  }

  /** Writes the first model and reads the others. */
  private void copy(List<Path> models) {
    try (Checkpoint first = Checkpoint.open(models.getFirst());
        CheckpointWriter writer = writer(first.infos())) {
      Workers.run(
          threads,
          pieces(
              first,
              (tensor, at, length) ->
                  writer.slot(tensor.name()).write(at, tensor.segment().asSlice(at, length))));
      for (Path other : models.subList(1, models.size())) {
        try (Checkpoint checkpoint = Checkpoint.open(other)) {
          Workers.run(
              threads,
              pieces(
                  checkpoint,
                  (tensor, at, length) ->
                      tensor
                          .segment()
                          .asSlice(at, length)
                          .asByteBuffer()
                          .get(new byte[(int) length])));
        }
      }
    }
  }

  private interface Reader {
    void read(TensorView tensor, long at, long length);
  }

  private static List<Workers.Job> pieces(Checkpoint checkpoint, Reader reader) {
    List<Workers.Job> jobs = new ArrayList<>();
    for (TensorView tensor : checkpoint.tensors()) {
      for (long at = 0; at < tensor.info().bytes(); at += PIECE) {
        long start = at;
        long length = Math.min(PIECE, tensor.info().bytes() - at);
        jobs.add(() -> reader.read(tensor, start, length));
      }
    }
    return jobs;
  }

  private static long bytes(Path model) {
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      return checkpoint.bytes();
    }
  }

  /** Statistics of F32, all of them the same few numbers: speed does not depend on them. */
  private static void fisher(Path model, Path target) {
    float[] values = new float[1 << 20];
    for (int i = 0; i < values.length; i++) {
      values[i] = (1 + i % 997) * 1e-6f;
    }
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      List<TensorInfo> tensors =
          checkpoint.infos().stream()
              .map(info -> new TensorInfo("diag/" + info.name(), DType.F32, info.shape()))
              .toList();
      CheckpointWriter.Content content =
          new CheckpointWriter.Content(tensors, Map.of(), Optional.empty(), List.of());
      try (CheckpointWriter writer = CheckpointWriter.create(OutputOptions.to(target), content)) {
        for (TensorInfo tensor : tensors) {
          for (long at = 0; at < tensor.elements(); at += values.length) {
            int count = (int) Math.min(values.length, tensor.elements() - at);
            writer.slot(tensor.name()).write(at, values, count);
          }
        }
        writer.commitWithoutManifest();
      }
    }
  }

  /** As its user has it: with the start of Java, SHA-256 of all files, and the disk. */
  private void command() throws IOException {
    out.printf("%n| the whole command | s | own memory, MB |%n|---|---|---|%n");
    for (List<String> method :
        List.of(List.of("linear"), List.of("ties", "--base", folder.resolve("base").toString()))) {
      List<String> words = new ArrayList<>(List.of(launcher.toString(), "merge"));
      words.addAll(Arrays.asList(folder.resolve("a").toString(), folder.resolve("b").toString()));
      words.addAll(List.of("--overwrite", "--quiet", "-o", folder.resolve("merged").toString()));
      words.add("--method");
      words.addAll(method);
      PeakMemory peak = PeakMemory.of(words, List.of());
      out.printf("| %s | %.2f | %d |%n", method.getFirst(), peak.seconds(), peak.ownMegabytes());
    }
  }
}
