package dev.smelt.bench;

import static dev.smelt.bench.Command.smelt;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Json;
import dev.smelt.formats.TensorView;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * Holds the commands against numbers that plain PyTorch gave for f32 models: losses and accuracies
 * ({@code reference.json} in each model's folder), Fisher information and low-rank errors.
 */
final class GoldenBench {

  private static final List<String> DOMAINS = List.of("drama", "scripture", "almanac");

  private final Path models;
  private final Path text;
  private final Path reference;
  private final PrintStream out;

  GoldenBench(Path models, Path text, Path reference, PrintStream out) {
    this.models = models;
    this.text = text;
    this.reference = reference;
    this.out = out;
  }

  void run() {
    try (TempFolder folder = TempFolder.make()) {
      evaluations();
      fisher(folder.path());
      lowRank(folder.path());
      fullRank(folder.path());
      merges(folder.path());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void evaluations() throws IOException {
    out.println("| model | data | loss | off by | accuracy | off by |");
    out.println("|---|---|---|---|---|---|");
    for (String family : List.of("gpt2", "llama")) {
      for (String training : List.of("base", "drama", "scripture", "almanac")) {
        String model = family + "-" + training;
        JsonNode expected = json(models.resolve(model).resolve("reference.json"));
        for (String domain : DOMAINS) {
          row(model, domain, eval(models.resolve(model), domain), expected.path(domain));
        }
      }
    }
    for (String model : List.of("bert-base", "bert-halfa", "bert-halfb")) {
      classifier(model, "sst2.dev", "dev");
    }
    classifier("gpt2-source", "source.dev", "source.dev");
  }

  private void classifier(String model, String data, String key) throws IOException {
    JsonNode found = smelt("eval", models.resolve(model), "--data", text.resolve(data + ".tsv"));
    row(model, data, found, json(models.resolve(model).resolve("reference.json")).path(key));
  }

  private JsonNode eval(Path model, String domain) {
    return smelt(
        "eval",
        model,
        "--data",
        text.resolve(domain + ".val.txt"),
        "--seq-len",
        256,
        "--samples",
        40);
  }

  private void row(String model, String data, JsonNode found, JsonNode expected) {
    double loss = found.path("loss").asDouble();
    double accuracy = found.path("accuracy").asDouble();
    out.printf(
        "| %s | %s | %.6f | %.1e | %.4f | %.1e |%n",
        model,
        data,
        loss,
        Math.abs(loss - expected.path("loss").asDouble()),
        accuracy,
        Math.abs(accuracy - expected.path("accuracy").asDouble()));
  }

  private void fisher(Path folder) {
    out.println();
    out.println(
        "| Fisher of | batch | examples/s | worst tensor | its ‖ΔF‖/‖F‖ | its ‖F‖ | next worst |");
    out.println("|---|---|---|---|---|---|---|");
    for (int batch : List.of(1, 8)) {
      for (String model : List.of("gpt2-drama", "llama-drama")) {
        fisher(
            folder,
            model,
            batch,
            "drama.train.txt",
            "--seq-len",
            128,
            "--samples",
            16,
            "--labels",
            "empirical");
      }
      fisher(folder, "bert-base", batch, "sst2.dev.tsv", "--samples", 64, "--labels", "expected");
    }
  }

  private void fisher(Path folder, String model, int batch, String data, Object... options) {
    Path file = folder.resolve(model + "." + batch + ".safetensors");
    Object[] command =
        Stream.concat(
                Stream.of(
                    "fisher",
                    models.resolve(model),
                    "--data",
                    text.resolve(data),
                    "-o",
                    file,
                    "--batch",
                    batch),
                Stream.of(options))
            .toArray();
    JsonNode report = smelt(command);
    try (Checkpoint found = Checkpoint.open(file);
        Checkpoint expected = Checkpoint.open(reference.resolve(model + ".fisher.safetensors"))) {
      List<Difference> worst =
          expected.tensors().stream()
              .map(tensor -> Difference.of(found.tensor(tensor.name()), tensor))
              .sorted(Comparator.comparingDouble(Difference::relative).reversed())
              .toList();
      // Key biases have no gradient in exact arithmetic: what is stored for them is rounding.
      Difference next =
          worst.stream().filter(one -> !one.name().endsWith("key.bias")).findFirst().orElseThrow();
      out.printf(
          "| %s | %d | %.1f | %s | %.1e | %.1e | %.1e |%n",
          model,
          batch,
          report.path("examples").asDouble() / report.path("seconds").asDouble(),
          worst.getFirst().name(),
          worst.getFirst().relative(),
          worst.getFirst().norm(),
          next.relative());
    }
  }

  private record Difference(String name, double relative, double norm) {

    static Difference of(TensorView found, TensorView expected) {
      double[] a = found.toDoubles();
      double[] b = expected.toDoubles();
      double error = 0;
      double norm = 0;
      for (int i = 0; i < b.length; i++) {
        error += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
      }
      return new Difference(
          expected.name(), norm == 0 ? Math.sqrt(error) : Math.sqrt(error / norm), Math.sqrt(norm));
    }
  }

  private void lowRank(Path folder) throws IOException {
    JsonNode expected = json(reference.resolve("gpt2-drama.lowrank.json")).path("factorize");
    Path statistics = folder.resolve("gpt2-drama.8.safetensors");
    JsonNode plain =
        smelt(
            "factorize",
            models.resolve("gpt2-drama"),
            "--keep",
            0.5,
            "-o",
            folder.resolve("plain"));
    JsonNode weighted =
        smelt(
            "factorize",
            models.resolve("gpt2-drama"),
            "--metric",
            "fisher",
            "--stats",
            statistics,
            "--keep",
            0.5,
            "-o",
            folder.resolve("weighted"));
    out.println();
    out.println("| gpt2-drama, keep 0.5 | matrices | largest relative difference of the error |");
    out.println("|---|---|---|");
    lowRankRow("plain", plain, "relativeError", expected, "plain_relative_error");
    lowRankRow("fisher", weighted, "weightedRelativeError", expected, "fisher_relative_error");
    out.println();
    JsonNode shared = json(reference.resolve("gpt2-drama.lowrank.json")).path("cluster");
    SharingBench.golden(shared, models.resolve("gpt2-drama"), out);
  }

  private void lowRankRow(
      String metric, JsonNode manifest, String key, JsonNode expected, String expectedKey) {
    int compared = 0;
    double worst = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      JsonNode golden = expected.path(tensor.path("name").asString());
      if (!golden.isMissingNode()) {
        double reported = golden.path(expectedKey).asDouble();
        worst = Math.max(worst, Math.abs(tensor.path(key).asDouble() - reported) / reported);
        compared++;
      }
    }
    out.printf("| %s | %d | %.1e |%n", metric, compared, worst);
  }

  /** Factors of full rank, and their product, are the model again. */
  private void fullRank(Path folder) {
    Path model = models.resolve("gpt2-drama");
    Path factors = folder.resolve("full");
    Path dense = folder.resolve("dense");
    smelt("factorize", model, "--max-error", 1e-6, "--allow-larger", "-o", factors);
    smelt("expand", factors, "-o", dense);
    double expected = eval(model, "drama").path("loss").asDouble();
    out.println();
    out.println("| gpt2-drama at full rank, on drama | loss | off by |");
    out.println("|---|---|---|");
    for (Path one : List.of(factors, dense)) {
      double loss = eval(one, "drama").path("loss").asDouble();
      String what = one.equals(factors) ? "factors" : "expanded";
      out.printf("| %s | %.6f | %.1e |%n", what, loss, Math.abs(loss - expected));
    }
  }

  private void merges(Path folder) {
    Path drama = models.resolve("gpt2-drama");
    Path scripture = models.resolve("gpt2-scripture");
    for (String domain : List.of("drama", "scripture")) {
      smelt(
          "fisher",
          models.resolve("gpt2-" + domain),
          "--data",
          text.resolve(domain + ".train.txt"),
          "--seq-len",
          128,
          "--samples",
          64,
          "-o",
          folder.resolve(domain + ".safetensors"));
    }
    smelt("merge", drama, scripture, "--method", "linear", "-o", folder.resolve("linear"));
    fisherMerge(folder, "fisher");
    fisherMerge(folder, "fisher --no-normalize", "--no-normalize");
    out.println();
    out.println("| model | loss on drama | loss on scripture | sum |");
    out.println("|---|---|---|---|");
    for (Path model :
        List.of(
            drama,
            scripture,
            folder.resolve("linear"),
            folder.resolve("fisher"),
            folder.resolve("fisher --no-normalize"))) {
      double first = eval(model, "drama").path("loss").asDouble();
      double second = eval(model, "scripture").path("loss").asDouble();
      out.printf(
          "| %s | %.4f | %.4f | %.4f |%n", model.getFileName(), first, second, first + second);
    }
  }

  private void fisherMerge(Path folder, String name, String... options) {
    Object[] command =
        Stream.concat(
                Stream.of(
                    "merge",
                    models.resolve("gpt2-drama"),
                    models.resolve("gpt2-scripture"),
                    "--method",
                    "fisher",
                    "--fisher",
                    folder.resolve("drama.safetensors"),
                    "--fisher",
                    folder.resolve("scripture.safetensors"),
                    "-o",
                    folder.resolve(name)),
                Arrays.stream(options))
            .toArray();
    smelt(command);
  }

  private static JsonNode json(Path file) throws IOException {
    return Json.parse(Files.readAllBytes(file), file.toString());
  }
}
