package dev.smelt.cli.diff;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.Score;
import dev.smelt.cli.verify.ManifestFile;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.eval.Evaluation;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Sizes and scores of checkpoints.
 *
 * @param data files to evaluate on; none to leave scores out
 * @param networks asked only when there is data
 * @param notes gets what a reader should know of how scores came about
 */
public record ModelReports(
    List<Path> data,
    DataOptions options,
    int batch,
    int threads,
    Function<Checkpoint, Network> networks,
    Progress progress,
    List<String> notes) {

  public Model of(Checkpoint checkpoint) {
    List<Score> scores = scores(checkpoint);
    boolean language = !scores.isEmpty() && scores.getFirst().perplexity() != null;
    @Nullable Double loss = mean(scores, Score::loss);
    return new Model(
        name(checkpoint.path()),
        checkpoint.path().toString(),
        method(checkpoint.path()).orElse(null),
        ContentHash.of(checkpoint, threads),
        checkpoint.bytes(),
        checkpoint.parameters(),
        checkpoint.isPacked() ? checkpoint.fileBytes() : null,
        loss,
        language && loss != null ? Math.exp(loss) : null,
        mean(scores, Score::accuracy),
        mean(scores, Score::tokensPerSecond),
        mean(scores, Score::examplesPerSecond),
        scores);
  }

  private List<Score> scores(Checkpoint checkpoint) {
    if (data.isEmpty()) {
      return List.of();
    }
    List<Score> scores = new ArrayList<>();
    try (Network network = networks.apply(checkpoint);
        Tokenizer tokenizer = Tokenizers.whenNeeded(checkpoint)) {
      for (Path file : data) {
        Dataset dataset = Dataset.read(file, tokenizer, network.input(), options);
        DataNotes.of(network, dataset).forEach(note -> notes.add(checkpoint.path() + ": " + note));
        Evaluation found = Evaluator.evaluate(network, dataset, batch, progress);
        scores.add(
            new Score(
                file.toString(),
                found.loss(),
                orNull(found.perplexity()),
                found.accuracy(),
                found.examples(),
                DataNotes.tokens(found.tokens()),
                orNull(found.tokensPerSecond()),
                orNull(found.examplesPerSecond())));
      }
    }
    return scores;
  }

  /** Of a value that all scores have or none. */
  private static @Nullable Double mean(
      List<Score> scores, Function<Score, @Nullable Double> value) {
    OptionalDouble mean =
        scores.stream()
            .map(value)
            .filter(Objects::nonNull)
            .mapToDouble(Double::doubleValue)
            .average();
    return orNull(mean);
  }

  private static @Nullable Double orNull(OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }

  private static String name(Path path) {
    return String.valueOf(path.toAbsolutePath().normalize().getFileName())
        .replaceFirst("\\.safetensors$", "");
  }

  /** What made the checkpoint, from its manifest: "factorize fisher keep 0.5". */
  private static Optional<String> method(Path path) {
    if (!ManifestFile.exists(path)) {
      return Optional.empty();
    }
    Manifest manifest = Manifest.read(ManifestFile.of(path));
    StringBuilder words = new StringBuilder(manifest.command());
    for (String key : List.of("method", "metric", "keep", "maxError")) {
      Object value = manifest.parameters().get(key);
      if (value != null) {
        boolean number = value instanceof Number;
        words.append(' ').append(number ? key + " " + value : value);
      }
    }
    return Optional.of(words.toString());
  }
}
