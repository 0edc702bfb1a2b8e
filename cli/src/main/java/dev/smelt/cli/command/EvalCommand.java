package dev.smelt.cli.command;

import dev.smelt.cli.diff.DataNotes;
import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.eval.Evaluation;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Stream;
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

  @Parameters(
      paramLabel = "CKPT",
      description =
          "The model: a folder, or an adapter's with --base; with --script any checkpoint.")
  private Path path = Path.of("");

  @Option(
      names = "--data",
      paramLabel = "D",
      required = true,
      description = "Data: " + DataMixin.KINDS)
  private Path data = Path.of("");

  @Mixin private BaseMixin base = new BaseMixin();

  @Mixin private DataMixin how = new DataMixin();

  /**
   * In stable keys.
   *
   * @param loss nats per token predicted, or per example for classifiers
   * @param tokens none where examples are no sequences of tokens
   * @param tokensPerSecond where tokens are predicted
   * @param examplesPerSecond where each example has one label
   */
  record Report(
      String model,
      String data,
      double loss,
      @Nullable Double perplexity,
      double accuracy,
      long examples,
      @Nullable Long tokens,
      double seconds,
      @Nullable Double tokensPerSecond,
      @Nullable Double examplesPerSecond,
      List<String> notes) {}

  @Override
  protected Result execute() {
    base.requireUse(List.of(path));
    try (ComputeDevice device = root().openDevice();
        Checkpoint checkpoint = base.open(path, () -> device, root().progress());
        Network network = how.load(checkpoint, device)) {
      Dataset dataset = how.read(data, checkpoint, network);
      Evaluation found = Evaluator.evaluate(network, dataset, how.batch(), root().progress());
      Report report =
          new Report(
              path.toString(),
              data.toString(),
              found.loss(),
              orNull(found.perplexity()),
              found.accuracy(),
              found.examples(),
              DataNotes.tokens(found.tokens()),
              found.seconds(),
              orNull(found.tokensPerSecond()),
              orNull(found.examplesPerSecond()),
              Stream.concat(
                      DataNotes.of(network, dataset).stream(), BaseMixin.notes(checkpoint).stream())
                  .toList());
      return Result.of(report, () -> text(report, dataset.task()));
    }
  }

  private static String text(Report report, Task task) {
    StringBuilder text = new StringBuilder();
    Double perplexity = report.perplexity();
    String each = task.predictsTokens() ? "token" : "example";
    line(text, "loss", "%.6f nats per %s".formatted(report.loss(), each));
    if (perplexity != null) {
      line(text, "perplexity", "%.4f".formatted(perplexity));
    }
    line(text, "accuracy", "%.4f of the %s".formatted(report.accuracy(), predicted(task)));
    Long tokens = report.tokens();
    String count = tokens == null ? "" : " (%,d tokens)".formatted(tokens);
    line(text, "examples", "%,d%s".formatted(report.examples(), count));
    line(text, "time", "%.2f s, %s".formatted(report.seconds(), speed(report)));
    report.notes().forEach(note -> text.append(note).append('\n'));
    return text.toString();
  }

  private static @Nullable Double orNull(OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }

  private static String speed(Report report) {
    Double tokens = report.tokensPerSecond();
    return tokens == null
        ? "%,.1f examples/s".formatted(report.examplesPerSecond())
        : "%,.0f tokens/s".formatted(tokens);
  }

  private static String predicted(Task task) {
    return switch (task) {
      case LANGUAGE_MODELING -> "next token";
      case MASKED_LANGUAGE_MODELING -> "hidden token";
      case CLASSIFICATION -> "class";
    };
  }

  private static void line(StringBuilder text, String key, String value) {
    text.append(String.format("%-11s %s%n", key, value));
  }
}
