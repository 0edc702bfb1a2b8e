package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** What factorising costs: every metric at several sizes, as the commands report it. */
final class AccuracyBench {

  private static final String NORMALIZE = "0.485,0.456,0.406/0.229,0.224,0.225";

  /** Ways of factorising, with what is typed for them. */
  private enum Way {
    PLAIN("plain", "--metric plain"),
    FISHER("fisher", "--metric fisher"),
    ACTIVATION("activation", "--metric activation"),
    KRONECKER("kronecker", "--metric kronecker"),
    GLOBAL("kronecker, global", "--metric kronecker"),
    REFINED("… refined", "--metric kronecker --refine 1"),
    TUNED("… and tuned", "--metric kronecker --refine 1 --tune 200");

    private final String label;
    private final String options;

    Way(String label, String options) {
      this.label = label;
      this.options = options;
    }

    boolean isGlobal() {
      return EnumSet.of(GLOBAL, REFINED, TUNED).contains(this);
    }

    boolean trains() {
      return EnumSet.of(REFINED, TUNED).contains(this);
    }
  }

  /**
   * A model and its data.
   *
   * @param labels whose gradients the statistics are of
   * @param measure key of what is shown: "loss" or "accuracy"
   * @param data options for the data that results are judged on
   */
  private record Subject(
      Path model,
      Path train,
      Path dev,
      String labels,
      String measure,
      List<Object> statistics,
      List<Object> data,
      List<Double> shares) {}

  private final PrintStream out;
  private final Path scratch;

  private AccuracyBench(PrintStream out, Path scratch) {
    this.out = out;
    this.scratch = scratch;
  }

  /**
   * @param models folder of f32 models
   * @param text folder of their texts
   */
  static void run(Path models, Path text, PrintStream out) {
    try (TempFolder folder = TempFolder.make()) {
      AccuracyBench bench = new AccuracyBench(out, folder.path());
      for (String model : List.of("gpt2-drama", "llama-drama")) {
        bench.table(causal(models, text, model, "drama"));
      }
      bench.table(
          new Subject(
              models.resolve("gpt2-source"),
              text.resolve("source.train.tsv"),
              text.resolve("source.dev.tsv"),
              "expected",
              "accuracy",
              List.of("--samples", 256),
              List.of("--train-samples", 512),
              List.of(0.5, 0.2, 0.1)));
      bench.table(
          new Subject(
              models.resolve("bert-base"),
              text.resolve("sst2.train.tsv"),
              text.resolve("sst2.dev.tsv"),
              "expected",
              "accuracy",
              List.of("--samples", 256, "--seq-len", 64),
              List.of("--seq-len", 64, "--train-samples", 512),
              List.of(0.9, 0.7, 0.5, 0.3)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * What factorising to half the size costs language models, beside what plain SVD costs them.
   *
   * @param models folder of f32 models named NETWORK-DOMAIN, base ones NETWORK-base
   * @param text folder of their texts
   */
  static void causal(Path models, Path text, PrintStream out) {
    out.println("| model | dense | plain | kronecker, global | refined | of plain |");
    out.println("|---|---|---|---|---|---|");
    try (TempFolder folder = TempFolder.make()) {
      AccuracyBench bench = new AccuracyBench(out, folder.path());
      for (String network : List.of("gpt2", "llama")) {
        for (String domain : List.of("base", "drama", "scripture", "almanac")) {
          String of = domain.equals("base") ? "drama" : domain;
          bench.increases(causal(models, text, network + "-" + domain, of));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void increases(Subject subject) {
    Path statistics = scratch.resolve(subject.model().getFileName() + ".safetensors");
    Command.smelt(
        "fisher",
        subject.model(),
        "--data",
        subject.train(),
        "--seq-len",
        128,
        "--samples",
        512,
        "--stats",
        "input-gram,grad-gram",
        "-o",
        statistics);
    List<Object> data = withoutTraining(subject.data());
    List<Object> plain =
        words("factorize", subject.model(), "--keep", 0.5, "--data", subject.dev());
    plain.addAll(data);
    plain.addAll(List.of("--overwrite", "-o", scratch.resolve("out")));
    List<Object> refined =
        words(
            "factorize",
            subject.model(),
            "--keep-total",
            0.5,
            "--data",
            subject.dev(),
            "--stats",
            statistics,
            "--refine",
            1,
            "--train",
            subject.train(),
            "--train-samples",
            128);
    refined.addAll(data);
    refined.addAll(List.of("--overwrite", "-o", scratch.resolve("out")));
    JsonNode first = Command.smelt(plain.toArray()).path("measured");
    JsonNode second = Command.smelt(refined.toArray()).path("measured");
    double dense = loss(first, 0);
    double lost = loss(first, 1) - dense;
    double cut = loss(second, 1) - dense;
    double left = loss(second, 2) - dense;
    out.printf(
        "| %s | %.4f | %.4f | %.4f | %.4f | %.2f |%n",
        subject.model().getFileName(), dense, lost, cut, left, left / lost);
  }

  private static double loss(JsonNode measured, int stage) {
    return measured.get(stage).path("loss").doubleValue();
  }

  private static Subject causal(Path models, Path text, String model, String domain) {
    return new Subject(
        models.resolve(model),
        text.resolve(domain + ".train.txt"),
        text.resolve(domain + ".val.txt"),
        "empirical",
        "loss",
        List.of("--seq-len", 128, "--samples", 128),
        List.of("--seq-len", 256, "--samples", 40, "--train-samples", 128),
        List.of(0.7, 0.5, 0.3));
  }

  private void table(Subject subject) {
    Path statistics = scratch.resolve(subject.model().getFileName() + ".safetensors");
    List<Object> words =
        words(
            "fisher",
            subject.model(),
            "--data",
            subject.train(),
            "--labels",
            subject.labels(),
            "--stats",
            "rows,cols,input-gram,grad-gram",
            "-o",
            statistics);
    words.addAll(subject.statistics());
    Command.smelt(words.toArray());
    StringBuilder head = new StringBuilder();
    StringBuilder line = new StringBuilder("|---|");
    for (double share : subject.shares()) {
      head.append(" | keep ").append(share);
      line.append("---|");
    }
    out.printf("| %s, %s%s |%n%s%n", subject.model().getFileName(), subject.measure(), head, line);
    for (Way way : Way.values()) {
      row(subject, way, statistics);
    }
    out.println();
  }

  private void row(Subject subject, Way way, Path statistics) {
    List<String> cells = new ArrayList<>();
    double dense = 0;
    for (double share : subject.shares()) {
      List<Object> words =
          words(
              "factorize",
              subject.model(),
              way.isGlobal() ? "--keep-total" : "--keep",
              share,
              "--data",
              subject.dev(),
              "--overwrite",
              "-o",
              scratch.resolve("out"));
      words.addAll(List.of((Object[]) way.options.split(" ")));
      if (way != Way.PLAIN) {
        words.addAll(List.of("--stats", statistics));
      }
      if (way.trains()) {
        words.addAll(List.of("--train", subject.train()));
        words.addAll(subject.data());
      } else {
        words.addAll(withoutTraining(subject.data()));
      }
      JsonNode measured = Command.smelt(words.toArray()).path("measured");
      dense = measured.get(0).path(subject.measure()).doubleValue();
      double found = measured.get(measured.size() - 1).path(subject.measure()).doubleValue();
      cells.add("%.4f".formatted(found));
    }
    if (way == Way.PLAIN) {
      out.printf("| dense | %s |%n", "%.4f".formatted(dense) + " |".repeat(cells.size() - 1));
    }
    out.printf("| %s | %s |%n", way.label, String.join(" | ", cells));
  }

  private static List<Object> words(Object... words) {
    return new ArrayList<>(List.of(words));
  }

  private static List<Object> withoutTraining(List<Object> options) {
    int at = options.indexOf("--train-samples");
    List<Object> rest = new ArrayList<>(options);
    rest.subList(at, at + 2).clear();
    return rest;
  }

  /**
   * Convolutions, by a TorchScript module.
   *
   * @param real folder with resnet20.th and resnet20.torchscript.pt
   * @param images folder of a folder for each class
   */
  static void images(Path real, Path images, PrintStream out) {
    try (TempFolder folder = TempFolder.make()) {
      Path weights = real.resolve("resnet20.th");
      List<Object> data =
          List.of(
              "--script",
              real.resolve("resnet20.torchscript.pt"),
              "--data",
              images,
              "--normalize",
              NORMALIZE);
      Path statistics = folder.path().resolve("resnet20.fisher.safetensors");
      List<Object> words = words("fisher", weights, "--labels", "expected", "--samples", 200);
      words.addAll(List.of("--shuffle", 0, "-o", statistics));
      words.addAll(data);
      Command.smelt(words.toArray());
      out.println("| resnet20, keep | bytes | plain | plain, global | fisher | fisher, global |");
      out.println("|---|---|---|---|---|---|");
      for (double share : new double[] {0.9, 0.7, 0.5, 0.3}) {
        List<String> cells = new ArrayList<>();
        String bytes = "";
        for (String metric : List.of("plain", "fisher")) {
          for (String keep : List.of("--keep", "--keep-total")) {
            List<Object> one = words("factorize", weights, keep, share, "--metric", metric);
            one.addAll(data);
            one.addAll(List.of("--overwrite", "-o", folder.path().resolve("out.safetensors")));
            if (metric.equals("fisher")) {
              one.addAll(List.of("--stats", statistics));
            }
            JsonNode measured = Command.smelt(one.toArray()).path("measured");
            bytes = "%,d".formatted(measured.get(1).path("bytes").longValue());
            cells.add("%.4f".formatted(measured.get(1).path("accuracy").doubleValue()));
          }
        }
        out.printf("| %s | %s | %s |%n", share, bytes, String.join(" | ", cells));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
