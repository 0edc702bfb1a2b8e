package dev.smelt.bench;

import dev.smelt.formats.DType;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** The memory that large models take: the most that the launcher's process holds at a time. */
final class MemoryBench {

  private static final int LENGTH = 512;
  private static final int BLOCKS = 3;

  private MemoryBench() {}

  static void run(Path launcher, PrintStream out) {
    try (TempFolder folder = TempFolder.make()) {
      statistics(launcher, folder.path(), out);
      out.println();
      factors(launcher, folder.path(), out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Diagonal Fisher information of a BERT with 110 million parameters. */
  private static void statistics(Path launcher, Path folder, PrintStream out) throws IOException {
    out.println(
        "| BERT 110M, T = 512 | examples | peak resident MB | without mapped files | seconds |");
    out.println("|---|---|---|---|---|");
    Path model = folder.resolve("bert");
    RandomBert.make(model);
    for (int examples : new int[] {4, 12}) {
      Path data = folder.resolve(examples + ".jsonl");
      RandomBert.makeData(data, examples, LENGTH);
      for (List<String> limit : List.of(List.<String>of(), List.of("--memory", "4G"))) {
        Path statistics = folder.resolve("f.safetensors");
        PeakMemory measured =
            PeakMemory.of(command(launcher, model, data, statistics, limit), List.of());
        out.printf(
            "| %s | %d | %,d | %,d | %.1f |%n",
            limit.isEmpty() ? "defaults" : String.join(" ", limit),
            examples,
            measured.megabytes(),
            measured.ownMegabytes(),
            measured.seconds());
      }
    }
  }

  /** Blocks of a 7B model, as they stream through factorizing, and what it said beforehand. */
  private static void factors(Path launcher, Path folder, PrintStream out) throws IOException {
    Path model = folder.resolve("7b");
    new RandomLlama(4096, 11008, BLOCKS, DType.BF16).make(model);
    Path small = folder.resolve("7b-small");
    JsonNode plan = Command.smelt("factorize", model, "--keep", 0.5, "-o", small, "--dry-run");
    List<String> command =
        List.of(
            launcher.toString(),
            "factorize",
            model.toString(),
            "--keep",
            "0.5",
            "--quiet",
            "-o",
            small.toString());
    PeakMemory measured = PeakMemory.of(command, List.of("-Xmx1g"));
    out.printf("| %d blocks of Llama 7B in bf16, keep 0.5, plain | |%n", BLOCKS);
    out.println("|---|---|");
    out.printf("| peak resident MB | %,d |%n", measured.megabytes());
    out.printf("| … without mapped files | %,d |%n", measured.ownMegabytes());
    out.printf("| seconds as --dry-run says | %.0f |%n", plan.path("seconds").doubleValue());
    out.printf("| seconds of the whole command | %.0f |%n", measured.seconds());
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
