package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Language models without some hidden units, heads or blocks, not made up for by tuning. */
final class PruneStructureBench {

  private PruneStructureBench() {}

  /**
   * @param models folder of f32 models
   * @param text folder of their texts
   * @param names of models, DOMAIN being the text that one was trained on: NETWORK-DOMAIN
   */
  static void run(Path models, Path text, List<String> names, PrintStream out) {
    for (String name : names) {
      try (TempFolder temporary = TempFolder.make()) {
        table(models.resolve(name), text, temporary.path(), out);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static void table(Path model, Path text, Path folder, PrintStream out) {
    String name = model.getFileName().toString();
    String domain = name.substring(name.indexOf('-') + 1);
    Path statistics = folder.resolve("statistics.safetensors");
    List<Object> words = new ArrayList<>(List.of("fisher", model));
    words.addAll(List.of("--data", text.resolve(domain + ".train.txt")));
    words.addAll(List.of("--stats", "diag,input-gram,entropy"));
    words.addAll(List.of("--seq-len", 128, "--samples", 128, "--shuffle", 0));
    words.addAll(List.of("-o", statistics));
    var _ = Command.smelt(words.toArray());
    Path held = text.resolve(domain + ".val.txt");
    out.println("| left out of " + name + " | criterion | bytes | perplexity |");
    out.println("|---|---|---|---|");
    for (String pattern : List.of("neurons", "heads", "blocks")) {
      String other = pattern.equals("blocks") ? "block-entropy" : "obs";
      for (String share : List.of("0.25", "0.5")) {
        for (String criterion : List.of("magnitude", "fisher", other)) {
          // Of four blocks it protects three.
          if (!criterion.equals("block-entropy") || !share.equals("0.5")) {
            List<Object> what = new ArrayList<>(List.of("prune", model, "--pattern", pattern));
            what.addAll(List.of("--sparsity", share, "--criterion", criterion));
            if (!criterion.equals("magnitude")) {
              what.addAll(List.of("--stats", statistics));
            }
            what.addAll(List.of("--data", held, "--overwrite"));
            what.addAll(List.of("--seq-len", 128, "--samples", 64, "--shuffle", 0));
            what.addAll(List.of("-o", folder.resolve("out")));
            JsonNode found = Command.smelt(what.toArray()).path("measured").get(1);
            out.printf(
                "| %s %% of %s | %s | %,d | %.2f |%n",
                share.equals("0.5") ? "50" : "25",
                pattern,
                criterion,
                found.path("bytes").longValue(),
                found.path("perplexity").doubleValue());
          }
        }
      }
    }
    out.println();
  }
}
