package dev.smelt.bench;

import dev.smelt.compress.cluster.Block;
import dev.smelt.compress.cluster.FamilyErrors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** What sharing bases costs real models, and whether its errors are those of PyTorch. */
final class SharingBench {

  private static final List<Double> ERRORS = List.of(0.05, 0.1, 0.2, 0.3, 0.4, 0.5);

  /** In the norm of both Gram matrices little is left of a matrix at larger ones. */
  private static final List<Double> WEIGHTED_ERRORS = List.of(0.02, 0.05, 0.1, 0.2);

  /** Halvings of the interval in which an error is looked for. */
  private static final int STEPS = 8;

  private SharingBench() {}

  /**
   * A GPT-2 matrix, stored [in, out].
   *
   * @param view as stored
   */
  private record Conv1d(TensorView view) implements Block {
    @Override
    public int rows() {
      return Math.toIntExact(view.shape().size(1));
    }

    @Override
    public int columns() {
      return Math.toIntExact(view.shape().size(0));
    }

    @Override
    public Matrix load(LinearAlgebra algebra) {
      return algebra.load(view, Precision.F64, true);
    }
  }

  /** One basis of outputs for the same matrix of all blocks, at several ranks. */
  static void golden(JsonNode expected, Path model, PrintStream out) {
    out.println("| gpt2-drama, all blocks | ranks | error off by | bound off by |");
    out.println("|---|---|---|---|");
    try (Checkpoint checkpoint = Checkpoint.open(model);
        ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, 1);
        LinearAlgebra algebra = device.linearAlgebra()) {
      for (Map.Entry<String, JsonNode> entry : expected.properties()) {
        List<Block> blocks = new ArrayList<>();
        for (TensorView view : checkpoint.tensors()) {
          if (view.name().endsWith("." + entry.getKey() + ".weight")) {
            blocks.add(new Conv1d(view));
          }
        }
        FamilyErrors found = FamilyErrors.of(algebra, blocks);
        JsonNode errors = entry.getValue().path("relative_error_at_rank");
        JsonNode bounds = entry.getValue().path("weyl_bound_at_rank");
        double error = 0;
        double bound = 0;
        for (String rank : errors.propertyNames()) {
          int r = Integer.parseInt(rank);
          error = Math.max(error, off(found.relativeError(r), errors.path(rank)));
          bound = Math.max(bound, off(found.bound(r), bounds.path(rank)));
        }
        out.printf("| %s | %d | %.1e | %.1e |%n", entry.getKey(), errors.size(), error, bound);
      }
    }
  }

  private static double off(double found, JsonNode expected) {
    return Math.abs(found - expected.doubleValue()) / expected.doubleValue();
  }

  /** Clusters within a model at several errors, beside separate SVDs in as many bytes. */
  static void run(Path models, Path text, PrintStream out) {
    try (TempFolder folder = TempFolder.make()) {
      for (String network : List.of("gpt2", "llama")) {
        Path model = models.resolve(network + "-drama");
        Path data = text.resolve("drama.val.txt");
        Path statistics = folder.path().resolve(network + ".safetensors");
        var _ =
            Command.smelt(
                "fisher",
                model,
                "--data",
                text.resolve("drama.train.txt"),
                "--stats",
                "input-gram,grad-gram",
                "--seq-len",
                128,
                "--samples",
                128,
                "-o",
                statistics);
        Path target = folder.path().resolve("out");
        table(model, data, List.of("--metric", "plain"), ERRORS, target, out);
        List<Object> weighted = List.of("--metric", "kronecker", "--stats", statistics);
        table(model, data, weighted, WEIGHTED_ERRORS, target, out);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void table(
      Path model,
      Path data,
      List<Object> metric,
      List<Double> errors,
      Path target,
      PrintStream out) {
    out.printf(
        "| %s, %s, ε | bases | in clusters | bytes / dense | loss | separate SVDs in as many bytes,"
            + " one error for all | one share for all | ranks by the metric |%n",
        model.getFileName(), metric.get(1));
    out.println("|---|---|---|---|---|---|---|---|");
    for (double error : errors) {
      row(model, data, metric, target, error, out);
    }
    out.println();
  }

  private static void row(
      Path model, Path data, List<Object> metric, Path target, double error, PrintStream out) {
    List<Object> measure = new ArrayList<>(metric);
    measure.addAll(
        List.of("--data", data, "--seq-len", 256, "--samples", 40, "--overwrite", "-o", target));
    List<Object> words = new ArrayList<>(List.of("cluster", model, "--max-error", error));
    words.addAll(measure);
    JsonNode shared = Command.smelt(words.toArray());
    long after = shared.path("totals").path("bytesAfter").longValue();
    long before = shared.path("totals").path("bytesBefore").longValue();
    int members = 0;
    for (JsonNode cluster : shared.path("clusters")) {
      members += cluster.path("members").size();
    }
    out.printf(
        "| %s | %d | %d | %.3f | %.4f | %s | %s | %s |%n",
        error,
        shared.path("clusters").size(),
        members,
        (double) after / before,
        loss(shared),
        after < before ? sameError(model, metric, measure, target, after) : "",
        after < before ? separate(model, measure, "--keep", share(shared, before - after)) : "",
        after < before ? separate(model, measure, "--budget", after) : "");
  }

  /** The share of the matrices' bytes that is left when so many are saved. */
  private static double share(JsonNode manifest, long saved) {
    long matrices = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      boolean other = tensor.path("action").asString().equals("kept") && !tensor.has("reason");
      matrices += other ? 0 : tensor.path("bytesBefore").longValue();
    }
    return 1 - (double) saved / matrices;
  }

  /** The loss of separate factors with one error for all that take at most so many bytes. */
  private static String sameError(
      Path model, List<Object> metric, List<Object> measure, Path target, long bytes) {
    Path spectra =
        target.resolveSibling(model.getFileName() + "." + metric.get(1) + ".safetensors");
    double low = 0;
    double high = 0.99;
    for (int step = 0; step < STEPS; step++) {
      double middle = (low + high) / 2;
      List<Object> words = new ArrayList<>(List.of("factorize", model, "--max-error", middle));
      words.addAll(metric);
      words.addAll(List.of("--spectra", spectra, "--overwrite", "-o", target));
      long found = Command.smelt(words.toArray()).path("totals").path("bytesAfter").longValue();
      low = found > bytes ? middle : low;
      high = found > bytes ? high : middle;
    }
    return separate(model, measure, "--max-error", high);
  }

  /** The loss of separate factors. */
  private static String separate(Path model, List<Object> measure, String option, Object value) {
    List<Object> words = new ArrayList<>(List.of("factorize", model, option, value));
    words.addAll(measure);
    return "%.4f".formatted(loss(Command.smelt(words.toArray())));
  }

  private static double loss(JsonNode manifest) {
    return manifest.path("measured").get(1).path("loss").doubleValue();
  }
}
