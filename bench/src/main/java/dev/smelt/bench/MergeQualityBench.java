package dev.smelt.bench;

import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.method.MethodDescription;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * Fine-tuned models merged by every method, and what each merge loses on the text of each of them;
 * classifiers of halves of the data likewise. All by commands.
 */
final class MergeQualityBench {

  private static final List<String> DOMAINS = List.of("drama", "scripture", "almanac");

  /** Options beside the standards, where the standards say little. */
  private static final Map<String, List<List<Object>>> VARIANTS =
      Map.ofEntries(
          Map.entry("fisher", List.of(List.of(), List.of("--no-normalize"))),
          Map.entry("regmean", List.of(List.of("--rest", "linear"), List.of("--rest", "fisher"))),
          Map.entry(
              "task_arithmetic",
              List.of(List.of(), List.of("--lambda", 0.5), List.of("--normalize"))),
          Map.entry("ties", List.of(List.of("--density", 0.2), List.of("--density", 0.5))),
          Map.entry("dare_linear", List.of(List.of("--density", 0.5, "--lambda", 0.5))),
          Map.entry("dare_ties", List.of(List.of("--density", 0.5, "--lambda", 0.5))),
          Map.entry("della", List.of(List.of("--density", 0.5, "--lambda", 0.5))),
          Map.entry("della_linear", List.of(List.of("--density", 0.5, "--lambda", 0.5))),
          Map.entry("breadcrumbs", List.of(List.of("--density", 0.9, "--lambda", 0.5))),
          Map.entry("breadcrumbs_ties", List.of(List.of("--density", 0.9))),
          Map.entry("sce", List.of(List.of(), List.of("--select-topk", 0.5))));

  private final Path models;
  private final Path text;
  private final PrintStream out;
  private final Path folder;

  private MergeQualityBench(Path models, Path text, PrintStream out, Path folder) {
    this.models = models;
    this.text = text;
    this.out = out;
    this.folder = folder;
  }

  static void run(Path models, Path text, PrintStream out) {
    try (TempFolder temporary = TempFolder.make()) {
      MergeQualityBench bench = new MergeQualityBench(models, text, out, temporary.path());
      bench.languageModels("gpt2");
      bench.languageModels("llama");
      bench.classifiers();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void languageModels(String family) {
    out.printf("## Merges of three %s models%n%n", family);
    out.printf("| model | %s | sum |%n|---|---|---|---|---|%n", String.join(" | ", DOMAINS));
    List<Path> tuned =
        DOMAINS.stream().map(domain -> models.resolve(family + "-" + domain)).toList();
    Path base = models.resolve(family + "-base");
    losses(base.getFileName().toString(), base);
    tuned.forEach(model -> losses(model.getFileName().toString(), model));
    List<Path> statistics = new ArrayList<>();
    for (int i = 0; i < tuned.size(); i++) {
      Path file = folder.resolve(tuned.get(i).getFileName() + ".safetensors");
      Command.smelt(
          "fisher",
          tuned.get(i),
          "--data",
          text.resolve(DOMAINS.get(i) + ".train.txt"),
          "--stats",
          "diag,input-gram",
          "--samples",
          128,
          "--seq-len",
          256,
          "-o",
          file);
      statistics.add(file);
    }
    for (MethodDescription method : MergeMethods.all()) {
      for (List<Object> options : VARIANTS.getOrDefault(method.name(), List.of(List.of()))) {
        languageModel(method, tuned, base, statistics, options);
      }
    }
    out.println();
  }

  /** Methods of two models merge the first two, and the result with the third. */
  private void languageModel(
      MethodDescription method,
      List<Path> tuned,
      Path base,
      List<Path> statistics,
      List<Object> options) {
    Path merged = folder.resolve("merged");
    if (method.inputs().models().allows(tuned.size())) {
      merge(method, tuned, base, statistics, options, merged);
      losses(label(method, options), merged);
    } else if (method.inputs().models().allows(2)) {
      Path two = folder.resolve("two");
      List<Object> third = new ArrayList<>(options);
      if (method.parameter("t").isPresent()) {
        third.addAll(List.of("--t", method.name().equals("slerp") ? 1.0 / 3 : 0.001));
      } else {
        third.addAll(List.of("--weight", 2, "--weight", 1));
      }
      merge(method, tuned.subList(0, 2), base, statistics, options, two);
      merge(method, List.of(two, tuned.get(2)), base, statistics, third, merged);
      losses(label(method, options) + ", one after another", merged);
    } else {
      out.printf("| %s | of one model: not a merge of three | | | |%n", method.name());
    }
  }

  private static String label(MethodDescription method, List<Object> options) {
    StringBuilder label = new StringBuilder(method.name());
    options.forEach(option -> label.append(' ').append(option));
    return label.toString();
  }

  private static void merge(
      MethodDescription method,
      List<Path> inputs,
      Path base,
      List<Path> statistics,
      List<Object> options,
      Path target) {
    List<Object> words = new ArrayList<>(List.of("merge"));
    words.addAll(inputs);
    words.addAll(List.of("--method", method.name(), "-o", target, "--overwrite"));
    if (method.inputs().base() == MethodDescription.Base.REQUIRED) {
      words.addAll(List.of("--base", base));
    }
    if (method.inputs().data() != MethodDescription.Data.NONE) {
      statistics.forEach(file -> words.addAll(List.of("--fisher", file)));
    }
    words.addAll(options);
    Command.smelt(words.toArray());
  }

  private void losses(String label, Path model) {
    StringBuilder row = new StringBuilder("| " + label);
    double sum = 0;
    for (String domain : DOMAINS) {
      JsonNode found =
          Command.smelt(
              "eval",
              model,
              "--data",
              text.resolve(domain + ".val.txt"),
              "--seq-len",
              256,
              "--samples",
              40);
      double loss = found.path("loss").asDouble();
      sum += loss;
      row.append(" | %.4f".formatted(loss));
    }
    out.printf("%s | %.4f |%n", row, sum);
  }

  private void classifiers() {
    out.println("## Merges of two classifiers\n");
    out.println("| model | accuracy | loss |\n|---|---|---|");
    List<Path> halves = List.of(models.resolve("bert-halfa"), models.resolve("bert-halfb"));
    halves.forEach(model -> accuracy(model.getFileName().toString(), model));
    List<Path> statistics = new ArrayList<>();
    for (Path model : halves) {
      Path file = folder.resolve(model.getFileName() + ".safetensors");
      Command.smelt(
          "fisher",
          model,
          "--data",
          text.resolve("sst2.train.tsv"),
          "--labels",
          "expected",
          "--stats",
          "diag,input-gram",
          "--samples",
          512,
          "-o",
          file);
      statistics.add(file);
    }
    for (String name : List.of("linear", "slerp", "fisher", "regmean")) {
      MethodDescription method = MergeMethods.named(name).orElseThrow();
      for (List<Object> options : VARIANTS.getOrDefault(name, List.of(List.of()))) {
        Path merged = folder.resolve("merged-classifier");
        merge(method, halves, halves.getFirst(), statistics, options, merged);
        accuracy(label(method, options), merged);
      }
    }
    out.println();
  }

  private void accuracy(String label, Path model) {
    JsonNode found = Command.smelt("eval", model, "--data", text.resolve("sst2.dev.tsv"));
    out.printf(
        "| %s | %.4f | %.4f |%n",
        label, found.path("accuracy").asDouble(), found.path("loss").asDouble());
  }
}
