package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** What taking weights costs: every criterion at every tenth, as the command reports it. */
final class PruneBench {

  private static final String NORMALIZE = "0.485,0.456,0.406/0.229,0.224,0.225";

  private static final List<Double> SHARES =
      IntStream.rangeClosed(1, 9).mapToObj(tenth -> tenth / 10.0).toList();

  /** One row; {@code groups} is false where options do not go with N:M. */
  private record Way(String label, boolean statistics, boolean groups, List<Object> options) {

    static Way of(String criterion, boolean statistics) {
      return new Way(criterion, statistics, true, List.of("--criterion", criterion));
    }

    static Way unstructured(String label, boolean statistics, String options) {
      return new Way(label, statistics, false, List.of((Object[]) options.split(" ")));
    }
  }

  private static final Way MAGNITUDE = Way.of("magnitude", false);
  private static final Way MAGNITUDE_OF_TENSORS =
      Way.unstructured("magnitude, each tensor", false, "--scope tensor");
  private static final Way FISHER = Way.of("fisher", true);

  static final List<String> MODELS =
      List.of("gpt2-drama", "llama-drama", "gpt2-source", "bert-base");

  private static final List<Way> WAYS =
      List.of(
          MAGNITUDE,
          MAGNITUDE_OF_TENSORS,
          FISHER,
          Way.of("wanda", true),
          Way.of("contribution", true),
          Way.of("obs", true),
          Way.of("sparsegpt", true),
          new Way(
              "wanda, compensated", true, true, List.of("--criterion", "wanda", "--compensate")),
          Way.unstructured(
              "obs, by loss", true, "--criterion obs --scope tensor --allocation loss"),
          Way.unstructured(
              "sparsegpt, by loss", true, "--criterion sparsegpt --scope tensor --allocation loss"),
          new Way(
              "fisher, compensated", true, true, List.of("--criterion", "fisher", "--compensate")));

  /**
   * A model and its data.
   *
   * @param measure key of what is shown: "perplexity" or "accuracy"
   * @param data options for the data that results are judged on
   */
  private record Subject(Path model, Path dev, String measure, List<Object> data) {}

  private final PrintStream out;
  private final Path folder;

  private PruneBench(PrintStream out, Path folder) {
    this.out = out;
    this.folder = folder;
  }

  /**
   * @param models folder of f32 models
   * @param text folder of their texts
   * @param names of the models: two language models, and classifiers of two kinds of text
   */
  static void run(Path models, Path text, List<String> names, PrintStream out) {
    try (TempFolder temporary = TempFolder.make()) {
      PruneBench bench = new PruneBench(out, temporary.path());
      for (String name : names) {
        Path model = models.resolve(name);
        switch (name) {
          case "gpt2-source" -> bench.classifier(model, text, "source", List.of());
          case "bert-base" -> bench.classifier(model, text, "sst2", List.of("--seq-len", 64));
          default -> bench.causal(model, text, name.substring(name.indexOf('-') + 1));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void causal(Path model, Path text, String domain) {
    List<Object> data = List.of("--seq-len", 128, "--samples", 64, "--shuffle", 0);
    Subject subject = new Subject(model, text.resolve(domain + ".val.txt"), "perplexity", data);
    List<Object> options = List.of("--seq-len", 128, "--samples", 128, "--shuffle", 0);
    table(subject, statistics(subject, text.resolve(domain + ".train.txt"), "empirical", options));
  }

  private void classifier(Path model, Path text, String data, List<Object> length) {
    Subject subject = new Subject(model, text.resolve(data + ".dev.tsv"), "accuracy", length);
    List<Object> options = new ArrayList<>(length);
    options.addAll(List.of("--samples", 256, "--shuffle", 0));
    table(subject, statistics(subject, text.resolve(data + ".train.tsv"), "expected", options));
  }

  /**
   * Convolutions, by a TorchScript module.
   *
   * @param real folder with resnet20.th and resnet20.torchscript.pt
   * @param images folder of a folder for each class
   */
  static void images(Path real, Path images, PrintStream out) {
    try (TempFolder temporary = TempFolder.make()) {
      PruneBench bench = new PruneBench(out, temporary.path());
      Path weights = real.resolve("resnet20.th");
      List<Object> data =
          List.of("--script", real.resolve("resnet20.torchscript.pt"), "--normalize", NORMALIZE);
      Path statistics = temporary.path().resolve("fisher.safetensors");
      List<Object> words = new ArrayList<>(List.of("fisher", weights, "--data", images));
      words.addAll(data);
      words.addAll(List.of("--labels", "expected", "--samples", 200, "--shuffle", 0));
      words.addAll(List.of("-o", statistics));
      var _ = Command.smelt(words.toArray());
      bench.rows(
          new Subject(weights, images, "accuracy", data),
          statistics,
          List.of(MAGNITUDE, MAGNITUDE_OF_TENSORS, FISHER),
          false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path statistics(Subject subject, Path train, String labels, List<Object> options) {
    Path file = folder.resolve(subject.model().getFileName() + ".statistics.safetensors");
    List<Object> words = new ArrayList<>(List.of("fisher", subject.model(), "--data", train));
    words.addAll(List.of("--stats", "diag,input-gram,contribution", "--labels", labels));
    words.addAll(options);
    words.addAll(List.of("-o", file));
    var _ = Command.smelt(words.toArray());
    return file;
  }

  private void table(Subject subject, Path statistics) {
    rows(subject, statistics, WAYS, true);
  }

  private void rows(Subject subject, Path statistics, List<Way> ways, boolean groups) {
    List<List<Object>> columns = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (double share : SHARES) {
      columns.add(List.of("--sparsity", share));
      names.add("%.0f %%".formatted(100 * share));
    }
    if (groups) {
      columns.add(List.of("--pattern", "2:4"));
      names.add("2:4");
    }
    out.printf(
        "| %s, %s | %s |%n|---|%s%n",
        subject.model().getFileName(),
        subject.measure(),
        String.join(" | ", names),
        "---|".repeat(names.size()));
    out.printf(
        "| dense | %s%s |%n", measure(subject, subject.model()), " |".repeat(names.size() - 1));
    for (Way way : ways) {
      List<String> cells = new ArrayList<>();
      for (List<Object> column : columns) {
        cells.add(
            way.groups() || column.contains("--sparsity")
                ? measure(subject, prune(subject, statistics, way, column))
                : "");
      }
      out.printf("| %s | %s |%n", way.label(), String.join(" | ", cells));
    }
    out.println();
  }

  private Path prune(Subject subject, Path statistics, Way way, List<Object> share) {
    boolean file = subject.model().toString().endsWith(".th");
    Path target = folder.resolve(file ? "out.safetensors" : "out");
    List<Object> words = new ArrayList<>(List.of("prune", subject.model()));
    words.addAll(share);
    words.addAll(way.options());
    if (way.statistics()) {
      words.addAll(List.of("--stats", statistics));
    }
    words.addAll(List.of("--overwrite", "-o", target));
    var _ = Command.smelt(words.toArray());
    return target;
  }

  private String measure(Subject subject, Path model) {
    List<Object> words = new ArrayList<>(List.of("eval", model, "--data", subject.dev()));
    words.addAll(subject.data());
    return cell(subject, Command.smelt(words.toArray()));
  }

  private static String cell(Subject subject, JsonNode found) {
    double value = found.path(subject.measure()).doubleValue();
    return subject.measure().equals("accuracy") ? "%.3f".formatted(value) : "%.2f".formatted(value);
  }
}
