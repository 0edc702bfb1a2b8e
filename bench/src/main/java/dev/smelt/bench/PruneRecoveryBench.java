package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** What pruning in steps and tuning afterwards win back of language models. */
final class PruneRecoveryBench {

  private static final List<String> SHARES = List.of("0.5", "0.7", "0.9");

  private static final int STEPS = 5;

  private static final int TUNING = 200;

  private static final List<Object> WINDOWS = List.of("--seq-len", 128, "--shuffle", 0);

  /**
   * A way to prune.
   *
   * @param statistics whether it needs any
   */
  private record Way(String label, boolean statistics, List<String> options) {

    static Way of(String label, boolean statistics, String options) {
      return new Way(label, statistics, List.of(options.split(" ")));
    }
  }

  private static final List<Way> WAYS =
      List.of(
          Way.of("magnitude", false, "--criterion magnitude"),
          Way.of("fisher", true, "--criterion fisher"),
          Way.of("wanda", true, "--criterion wanda"),
          Way.of("obs", true, "--criterion obs"),
          Way.of("hidden units by magnitude", false, "--pattern neurons --criterion magnitude"),
          Way.of("hidden units by fisher", true, "--pattern neurons --criterion fisher"),
          Way.of("hidden units by obs", true, "--pattern neurons --criterion obs"));

  private final PrintStream out;
  private final Path folder;
  private final Path model;
  private final Path train;
  private final Path held;

  private PruneRecoveryBench(Path model, Path text, Path folder, PrintStream out) {
    String name = model.getFileName().toString();
    String domain = name.substring(name.indexOf('-') + 1);
    this.out = out;
    this.folder = folder;
    this.model = model;
    this.train = text.resolve(domain + ".train.txt");
    this.held = text.resolve(domain + ".val.txt");
  }

  /**
   * @param models folder of f32 models
   * @param text folder of their texts
   * @param names of models, DOMAIN being the text that one was trained on: NETWORK-DOMAIN
   */
  static void run(Path models, Path text, List<String> names, PrintStream out) {
    for (String name : names) {
      try (TempFolder temporary = TempFolder.make()) {
        new PruneRecoveryBench(models.resolve(name), text, temporary.path(), out).table();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private void table() {
    Path statistics = folder.resolve("statistics.safetensors");
    List<Object> words = new ArrayList<>(List.of("fisher", model, "--data", train));
    words.addAll(List.of("--stats", "diag,input-gram", "--samples", 128));
    words.addAll(WINDOWS);
    words.addAll(List.of("-o", statistics));
    var _ = Command.smelt(words.toArray());
    out.printf(
        "| %s, perplexity | 50 %% | 70 %% | 90 %% |%n|---|---|---|---|%n", model.getFileName());
    for (Way way : WAYS) {
      List<String> pruned = new ArrayList<>();
      List<String> tuned = new ArrayList<>();
      for (String share : SHARES) {
        List<Object> options = new ArrayList<>();
        if (way.statistics()) {
          options.addAll(List.of("--stats", statistics));
        }
        options.addAll(List.of("--train", train, "--train-samples", 512, "--tune", TUNING));
        JsonNode measured = prune(way, share, options);
        pruned.add(perplexity(measured, 1));
        tuned.add(perplexity(measured, 2));
      }
      row(way.label(), pruned);
      row(way.label() + ", tuned", tuned);
      if (way.statistics()) {
        inSteps(way);
      }
    }
    out.println();
  }

  private void inSteps(Way way) {
    List<String> pruned = new ArrayList<>();
    for (String share : SHARES) {
      List<Object> options = new ArrayList<>(List.of("--schedule", "cubic", "--steps", STEPS));
      options.addAll(List.of("--train", train, "--train-samples", 128));
      pruned.add(perplexity(prune(way, share, options), 1));
    }
    row(way.label() + ", in steps", pruned);
  }

  private JsonNode prune(Way way, String share, List<Object> options) {
    List<Object> words = new ArrayList<>(List.of("prune", model, "--sparsity", share));
    words.addAll(way.options());
    words.addAll(options);
    words.addAll(WINDOWS);
    words.addAll(List.of("--data", held, "--samples", 64, "--overwrite"));
    words.addAll(List.of("-o", folder.resolve("out")));
    return Command.smelt(words.toArray()).path("measured");
  }

  private static String perplexity(JsonNode measured, int stage) {
    return "%.2f".formatted(measured.get(stage).path("perplexity").doubleValue());
  }

  private void row(String label, List<String> cells) {
    out.printf("| %s | %s |%n", label, String.join(" | ", cells));
  }
}
