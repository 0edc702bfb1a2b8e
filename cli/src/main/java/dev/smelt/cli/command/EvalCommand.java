package dev.smelt.cli.command;

import dev.smelt.cli.diff.DataNotes;
import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.eval.Evaluation;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Runs a model over data: loss, perplexity, accuracy. */
@Command(
    name = "eval",
    description = "Measure a model's loss, perplexity and accuracy on data.",
    footer = {"%nExample:%n  smelt eval model/ --data val.txt --seq-len 256 --samples 40"})
public final class EvalCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "The model's folder.")
  private Path path = Path.of("");

  @Option(
      names = "--data",
      paramLabel = "D",
      required = true,
      description = "Data: .txt, .jsonl or .tsv.")
  private Path data = Path.of("");

  @Mixin private DataMixin how = new DataMixin();

  /**
   * In stable keys.
   *
   * @param loss nats per token, or per example for classifiers
   */
  record Report(
      String model,
      String data,
      double loss,
      @Nullable Double perplexity,
      double accuracy,
      long examples,
      long tokens,
      double seconds,
      List<String> notes) {}

  @Override
  protected Result execute() {
    try (Checkpoint checkpoint = Checkpoint.open(path);
        ComputeDevice device = root().openDevice();
        Network network = Network.load(checkpoint, device)) {
      Dataset dataset = how.read(data, checkpoint, network);
      Evaluation found = Evaluator.evaluate(network, dataset, how.batch(), root().progress());
      Report report =
          new Report(
              path.toString(),
              data.toString(),
              found.loss(),
              found.perplexity().isPresent() ? found.perplexity().getAsDouble() : null,
              found.accuracy(),
              found.examples(),
              found.tokens(),
              found.seconds(),
              DataNotes.of(network, dataset));
      return Result.of(report, () -> text(report));
    }
  }

  private static String text(Report report) {
    StringBuilder text = new StringBuilder();
    Double perplexity = report.perplexity();
    boolean language = perplexity != null;
    line(text, "loss", "%.6f nats per %s".formatted(report.loss(), language ? "token" : "example"));
    if (perplexity != null) {
      line(text, "perplexity", "%.4f".formatted(perplexity));
    }
    line(
        text,
        "accuracy",
        "%.4f of the %s".formatted(report.accuracy(), language ? "next token" : "class"));
    line(text, "examples", "%,d (%,d tokens)".formatted(report.examples(), report.tokens()));
    double rate = report.tokens() / report.seconds();
    line(text, "time", "%.2f s, %,.0f tokens/s".formatted(report.seconds(), rate));
    report.notes().forEach(note -> text.append(note).append('\n'));
    return text.toString();
  }

  private static void line(StringBuilder text, String key, String value) {
    text.append(String.format("%-11s %s%n", key, value));
  }
}
