package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The largest resident size of the launcher's process, mapped files included, while it estimates
 * diagonal Fisher information of a BERT with 110 million parameters.
 */
final class MemoryBench {

  private static final int LENGTH = 512;

  private MemoryBench() {}

  static void run(Path launcher, PrintStream out) {
    out.println("| BERT 110M, T = 512 | examples | peak resident MB | seconds |");
    out.println("|---|---|---|---|");
    try (TempFolder folder = TempFolder.make()) {
      Path model = folder.path().resolve("bert");
      RandomBert.make(model);
      for (int examples : new int[] {4, 12}) {
        Path data = folder.path().resolve(examples + ".jsonl");
        RandomBert.makeData(data, examples, LENGTH);
        for (List<String> limit : List.of(List.<String>of(), List.of("--memory", "4G"))) {
          Path statistics = folder.path().resolve("f.safetensors");
          PeakMemory measured =
              PeakMemory.of(command(launcher, model, data, statistics, limit), List.of());
          out.printf(
              "| %s | %d | %,d | %.1f |%n",
              limit.isEmpty() ? "defaults" : String.join(" ", limit),
              examples,
              measured.megabytes(),
              measured.seconds());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> command(
      Path launcher, Path model, Path data, Path statistics, List<String> limit) {
    List<String> command =
        new ArrayList<>(
            List.of(
                launcher.toString(),
                "fisher",
                model.toString(),
                "--data",
                data.toString(),
                "--quiet",
                "--overwrite",
                "-o",
                statistics.toString()));
    command.addAll(limit);
    return command;
  }
}
