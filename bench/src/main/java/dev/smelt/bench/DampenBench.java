package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * What language models that were trained on three kinds of text forget of one of them, and what
 * that costs them on the others.
 */
final class DampenBench {

  private static final String FORGET = "almanac";
  private static final List<String> RETAIN = List.of("drama", "scripture");

  /** Windows of 128 tokens for the statistics: twice as many of two kinds of text. */
  private static final int WINDOWS = 128;

  /** Held-out windows of each kind of text. */
  private static final int HELD = 64;

  private static final List<Object> LENGTH = List.of("--seq-len", 128, "--shuffle", 0);

  private final Path text;
  private final Path folder;
  private final PrintStream out;
  private final Path retained;

  private DampenBench(Path text, Path folder, PrintStream out) throws IOException {
    this.text = text;
    this.folder = folder;
    this.out = out;
    retained = folder.resolve("retain.train.txt");
    StringBuilder all = new StringBuilder();
    for (String name : RETAIN) {
      all.append(Files.readString(text.resolve(name + ".train.txt")));
    }
    Files.writeString(retained, all);
  }

  /** Options of a run; the last says how the row is called. */
  private record Setting(double alpha, double lambda, String names, List<Object> options) {

    static Setting of(double alpha, double lambda) {
      return new Setting(alpha, lambda, "all", List.of());
    }

    static Setting only(double alpha, String names, Object... options) {
      return new Setting(alpha, 1, names, List.of(options));
    }
  }

  static void run(Path models, Path text, PrintStream out) {
    try (TempFolder temporary = TempFolder.make()) {
      DampenBench bench = new DampenBench(text, temporary.path(), out);
      out.println(
          "| model | α | λ | tensors | weights lowered | almanac | drama | scripture"
              + " | increase: almanac | the others |");
      out.println("|---|---|---|---|---|---|---|---|---|---|");
      bench.table(
          models.resolve("gpt2-base"),
          List.of(
              Setting.of(10, 1),
              Setting.of(5, 1),
              Setting.of(4, 1),
              Setting.of(3, 1),
              Setting.of(2.5, 1),
              Setting.of(2, 1),
              Setting.of(4, 0.5),
              Setting.of(4, 0),
              Setting.only(3, "without wte", "--exclude", "*wte*"),
              Setting.only(2.5, "without wte", "--exclude", "*wte*"),
              Setting.only(3, "attention", "--include", "*attn*"),
              Setting.only(3, "MLP", "--include", "*mlp*")));
      bench.table(
          models.resolve("llama-base"),
          List.of(
              Setting.of(10, 1),
              Setting.of(5, 1),
              Setting.of(4, 1),
              Setting.of(3, 1),
              Setting.only(3, "without embed_tokens", "--exclude", "*embed_tokens*")));
      bench.table(
          models.resolve("gpt2-almanac"),
          List.of(Setting.of(10, 1), Setting.of(2, 1), Setting.of(1, 1)));
      bench.table(
          bench.merged(models), List.of(Setting.of(20, 1), Setting.of(10, 1), Setting.of(5, 1)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The mean of three fine-tuned models. */
  private Path merged(Path models) {
    Path target = folder.resolve("gpt2-merged");
    List<Object> words = new ArrayList<>(List.of("merge"));
    RETAIN.forEach(name -> words.add(models.resolve("gpt2-" + name)));
    words.add(models.resolve("gpt2-" + FORGET));
    words.addAll(List.of("--method", "linear", "-o", target));
    var _ = Command.smelt(words.toArray());
    return target;
  }

  private void table(Path model, List<Setting> settings) {
    Path forget = fisher(model, text.resolve(FORGET + ".train.txt"), WINDOWS, "forget");
    Path retain = fisher(model, retained, 2 * WINDOWS, "retain");
    double[] before = losses(model);
    out.printf(
        "| %s | | | | | %.3f | %.3f | %.3f | | |%n",
        model.getFileName(), before[0], before[1], before[2]);
    for (Setting one : settings) {
      row(model, forget, retain, before, one);
    }
  }

  private void row(Path model, Path forget, Path retain, double[] before, Setting one) {
    Path target = folder.resolve("out");
    List<Object> words = new ArrayList<>(List.of("dampen", model));
    words.addAll(List.of("--forget", forget, "--retain", retain));
    words.addAll(List.of("--alpha", one.alpha(), "--lambda", one.lambda()));
    words.addAll(one.options());
    words.addAll(List.of("-o", target, "--overwrite"));
    JsonNode manifest = Command.smelt(words.toArray());
    long lowered = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      lowered += tensor.path("dampened").path("lowered").asLong(0);
    }
    double share = (double) lowered / manifest.path("totals").path("parametersAfter").longValue();
    double[] after = losses(target);
    out.printf(
        "| | %s | %s | %s | %.1f %% | %.3f | %.3f | %.3f | %+.3f | %+.3f |%n",
        number(one.alpha()),
        number(one.lambda()),
        one.names(),
        100 * share,
        after[0],
        after[1],
        after[2],
        after[0] - before[0],
        (after[1] + after[2] - before[1] - before[2]) / 2);
  }

  private static String number(double value) {
    return value == Math.rint(value) ? String.valueOf((long) value) : String.valueOf(value);
  }

  private Path fisher(Path model, Path data, int windows, String name) {
    Path file = folder.resolve(model.getFileName() + "." + name + ".safetensors");
    List<Object> words = new ArrayList<>(List.of("fisher", model, "--data", data));
    words.addAll(LENGTH);
    words.addAll(List.of("--samples", windows, "-o", file));
    var _ = Command.smelt(words.toArray());
    return file;
  }

  /** On held-out text to be forgotten, then on that to be retained. */
  private double[] losses(Path model) {
    List<String> names = new ArrayList<>(List.of(FORGET));
    names.addAll(RETAIN);
    double[] losses = new double[names.size()];
    for (int i = 0; i < losses.length; i++) {
      Path data = text.resolve(names.get(i) + ".val.txt");
      List<Object> words = new ArrayList<>(List.of("eval", model, "--data", data));
      words.addAll(LENGTH);
      words.addAll(List.of("--samples", HELD));
      losses[i] = Command.smelt(words.toArray()).path("loss").doubleValue();
    }
    return losses;
  }
}
