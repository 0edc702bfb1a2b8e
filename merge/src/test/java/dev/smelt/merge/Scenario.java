package dev.smelt.merge;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.plan.MergePlanner;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Models written by hand, merged into a file. Closing it closes everything it opened. */
final class Scenario implements AutoCloseable {

  static final MergeOptions DEFAULTS =
      new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, false);

  /** Small, so that small tensors have several chunks and parts. */
  static final int CHUNK = 64;

  static final long PART = 192;

  private final Path folder;
  private final Deque<AutoCloseable> opened = new ArrayDeque<>();
  private final List<MergeInput> inputs = new ArrayList<>();
  private int files;

  /** In a folder of its own below {@code parent}. */
  Scenario(Path parent) {
    try {
      this.folder = Files.createTempDirectory(parent, "scenario");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Adds a model in a file without a config. */
  Scenario model(TestTensor... tensors) {
    return add(TestCheckpoints.file(next(".safetensors"), List.of(tensors)));
  }

  /** Adds a model with a config. */
  Scenario model(String config, TestTensor... tensors) {
    return add(TestCheckpoints.folder(next(""), config, List.of(tensors)));
  }

  private Scenario add(Path path) {
    Checkpoint checkpoint = own(Checkpoint.open(path));
    inputs.add(new MergeInput(checkpoint, ContentHash.of(checkpoint, 2), Optional.empty()));
    return this;
  }

  /** Gives the last model this Fisher information, by names of its tensors. */
  Scenario fisher(TestTensor... diagonals) {
    return fisher(Map.of("model_sha256", inputs.getLast().sha256()), diagonals);
  }

  Scenario fisher(Map<String, String> metadata, TestTensor... diagonals) {
    return statistics(
        metadata,
        Arrays.stream(diagonals).map(tensor -> tensor.renamed("diag/" + tensor.name())).toList());
  }

  /** Gives the last model these statistics, by their full names. */
  Scenario statistics(TestTensor... statistics) {
    return statistics(Map.of("model_sha256", inputs.getLast().sha256()), Arrays.asList(statistics));
  }

  private Scenario statistics(Map<String, String> metadata, List<TestTensor> tensors) {
    Path path =
        TestCheckpoints.write(next(".safetensors"), TestCheckpoints.safetensors(tensors, metadata));
    MergeInput last = inputs.removeLast();
    Statistics statistics = own(Statistics.open(path));
    inputs.add(new MergeInput(last.checkpoint(), last.sha256(), Optional.of(statistics)));
    return this;
  }

  Path path(int model) {
    return inputs.get(model).checkpoint().path();
  }

  MergePlan plan(MergeMethod method) {
    return plan(method, DEFAULTS);
  }

  MergePlan plan(MergeMethod method, MergeOptions options) {
    return MergePlanner.plan(inputs, method, options);
  }

  Checkpoint run(MergeMethod method) {
    return run(method, DEFAULTS);
  }

  Checkpoint run(MergeMethod method, DType dtype) {
    return run(method, new MergeOptions(Optional.of(dtype), HeadPolicy.FIRST, false, false));
  }

  Checkpoint run(MergeMethod method, MergeOptions options) {
    return run(method, options, 1);
  }

  Checkpoint run(MergeMethod method, MergeOptions options, int threads) {
    MergePlan plan = plan(method, options);
    return write(
        plan,
        new Merger(plan, options.allowNonFinite(), threads, LinearAlgebra::reference, CHUNK, PART));
  }

  Checkpoint write(MergePlan plan, Merger merger) {
    Path target = next(".safetensors");
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(Merger.outputs(plan), Map.of(), Optional.empty(), List.of());
    try (CheckpointWriter writer = CheckpointWriter.create(OutputOptions.to(target), content)) {
      merger.run(merger.prepare(), writer, Progress.NONE);
      writer.commitWithoutManifest();
    }
    return own(Checkpoint.open(target));
  }

  private <T extends AutoCloseable> T own(T resource) {
    opened.push(resource);
    return resource;
  }

  private Path next(String ending) {
    return folder.resolve("file" + files++ + ending);
  }

  @Override
  public void close() {
    for (AutoCloseable resource : opened) {
      switch (resource) {
        case Checkpoint checkpoint -> checkpoint.close();
        case Statistics statistics -> statistics.close();
        default -> throw new IllegalStateException("cannot close " + resource);
      }
    }
  }
}
