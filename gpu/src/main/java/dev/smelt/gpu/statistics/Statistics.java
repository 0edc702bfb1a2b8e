package dev.smelt.gpu.statistics;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A statistics file: safetensors whose tensors are named by statistic and parameter and whose
 * header says what they were made from.
 *
 * <table>
 * <caption>Tensors, f32</caption>
 * <tr><td>{@code diag/<parameter>}</td><td>in the shape of the parameter</td></tr>
 * <tr><td>{@code rows/<module>}</td><td>[out]</td></tr>
 * <tr><td>{@code cols/<module>}</td><td>[in]</td></tr>
 * <tr><td>{@code input_gram/<module>}</td><td>[in, in]</td></tr>
 * <tr><td>{@code grad_gram/<module>}</td><td>[out, out]</td></tr>
 * <tr><td>{@code mean_gradient/<parameter>}</td><td>in the shape of the parameter</td></tr>
 * <tr><td>{@code input_norms/<module>}</td><td>[in]</td></tr>
 * <tr><td>{@code contribution/<parameter>}</td><td>in the shape of the parameter</td></tr>
 * <tr><td>{@code entropy/<number of a block>}</td><td>[1]</td></tr>
 * </table>
 *
 * <p>{@link Statistic} says what each is. A module is a parameter's name without {@code .weight}.
 * The header's strings are those of {@link Provenance}.
 */
public final class Statistics implements AutoCloseable {

  /** How what {@code smelt fisher} makes is named. */
  public static final String FISHER = "fisher";

  /** What goes into a file. */
  public interface Source {

    /** Names and shapes, f32. */
    List<TensorInfo> tensors();

    /** Hands out all tensors, each in parts and in order. */
    void read(Sink sink);
  }

  /** Receives tensors. */
  @FunctionalInterface
  public interface Sink {
    void accept(TensorInfo tensor, long first, float[] values);
  }

  private static final String DIAGONAL = Statistic.DIAG.prefix();

  private final Checkpoint file;
  private final Provenance provenance;

  private Statistics(Checkpoint file, Provenance provenance) {
    this.file = file;
    this.provenance = provenance;
  }

  /**
   * @throws UnsupportedException when it is some other safetensors file
   * @throws dev.smelt.formats.CorruptException when its metadata make no sense
   */
  public static Statistics open(Path path) {
    Checkpoint file = Checkpoint.open(path);
    try {
      requireStatistics(file);
      return new Statistics(file, ProvenanceMetadata.read(file.metadata(), path.toString()));
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /**
   * Statistics that are not kept: on disk until they are closed.
   *
   * @param place the file on whose disk they are, for messages too
   */
  public static Statistics held(Source source, Path place) {
    return new Statistics(new HeldTensors(source, place), Provenance.none());
  }

  private static void requireStatistics(Checkpoint file) {
    List<TensorView> statistics = file.tensors().stream().filter(Statistics::isStatistic).toList();
    if (statistics.isEmpty()) {
      throw new UnsupportedException(
          "not a statistics file",
          file.path().toString(),
          "expected tensors named diag/<parameter>, rows/<module> and the like, found none",
          "make one with smelt fisher");
    }
    for (TensorView statistic : statistics) {
      if (!statistic.dtype().isFloat()) {
        throw new UnsupportedException(
            "statistic of the wrong type",
            statistic.name(),
            "expected floating point, found " + statistic.dtype().label(),
            "");
      }
    }
  }

  private static boolean isStatistic(TensorView tensor) {
    return Arrays.stream(Statistic.values()).anyMatch(s -> tensor.name().startsWith(s.prefix()));
  }

  public Path path() {
    return file.path();
  }

  public Provenance provenance() {
    return provenance;
  }

  /** Fisher information of a parameter, by the name of its tensor in the checkpoint. */
  public Optional<TensorView> diagonal(String parameter) {
    return file.find(DIAGONAL + parameter);
  }

  /** A statistic of a parameter, by the name of the parameter's tensor in the checkpoint. */
  public Optional<TensorView> find(Statistic statistic, String parameter) {
    return file.find(statistic.tensorName(parameter));
  }

  /** Whether any parameter has it. */
  public boolean has(Statistic statistic) {
    return file.tensors().stream().anyMatch(view -> view.name().startsWith(statistic.prefix()));
  }

  /** Names of the parameters that have a diagonal, in file order. */
  public List<String> parameters() {
    return file.tensors().stream()
        .map(TensorView::name)
        .filter(name -> name.startsWith(DIAGONAL))
        .map(name -> name.substring(DIAGONAL.length()))
        .toList();
  }

  /**
   * Makes sure that the statistics are of that model.
   *
   * @param modelSha256 content hash of the checkpoint
   * @throws MismatchException when they are of another one, or do not say of which
   */
  public void requireModel(String modelSha256) {
    Optional<String> made = provenance.modelSha256();
    if (made.isEmpty()) {
      throw new MismatchException(
          "statistics do not say of which model they are",
          path().toString(),
          "expected model_sha256 " + modelSha256,
          "use --any-model if you are sure");
    }
    if (!made.get().equals(modelSha256)) {
      throw new MismatchException(
          "statistics are of another model",
          path().toString(),
          "expected model_sha256 " + modelSha256 + ", found " + made.get(),
          "make them again with smelt fisher, or use --any-model if you are sure");
    }
  }

  /** Writes a file, all or nothing. */
  public static void write(OutputOptions target, Source source, Provenance provenance) {
    Map<String, String> metadata = ProvenanceMetadata.write(provenance);
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(source.tensors(), metadata, Optional.empty(), List.of());
    try (CheckpointWriter writer = CheckpointWriter.create(target, content)) {
      source.read(
          (tensor, first, values) ->
              writer.slot(tensor.name()).write(first, values, values.length));
      writer.commitWithoutManifest();
    }
  }

  @Override
  public void close() {
    file.close();
  }
}
