package dev.smelt.gpu.statistics;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A statistics file: safetensors whose tensors are named by statistic and parameter and whose
 * header says what they were made from.
 *
 * <table>
 * <caption>Tensors</caption>
 * <tr><td>{@code diag/<parameter>}</td><td>f32, in the shape of the parameter: diagonal Fisher
 *     information F = (1/N) Σₙ gₙ ⊙ gₙ</td></tr>
 * </table>
 *
 * <p>The header's strings are {@code estimator}, {@code labels}, {@code examples}, {@code tokens},
 * {@code seq_len}, {@code seed}, {@code batch}, {@code device}, {@code model_sha256}, {@code
 * data_sha256} and {@code smelt_version}.
 */
public final class Statistics implements AutoCloseable {

  /** The estimator of the diagonal. */
  public static final String DIAGONAL_FISHER = "diagonal-fisher";

  private static final String DIAGONAL = "diag/";

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

  private static void requireStatistics(Checkpoint file) {
    List<TensorView> diagonals =
        file.tensors().stream().filter(t -> t.name().startsWith(DIAGONAL)).toList();
    if (diagonals.isEmpty()) {
      throw new UnsupportedException(
          "not a statistics file",
          file.path().toString(),
          "expected tensors named diag/<parameter>, found none",
          "make one with smelt fisher");
    }
    for (TensorView diagonal : diagonals) {
      if (!diagonal.dtype().isFloat()) {
        throw new UnsupportedException(
            "statistic of the wrong type",
            diagonal.name(),
            "expected floating point, found " + diagonal.dtype().label(),
            "");
      }
    }
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
  public static void write(OutputOptions target, Fisher fisher, Provenance provenance) {
    List<TensorInfo> tensors = fisher.diagonal().keySet().stream().map(Statistics::stored).toList();
    Map<String, String> metadata = ProvenanceMetadata.write(provenance);
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(tensors, metadata, Optional.empty(), List.of());
    try (CheckpointWriter writer = CheckpointWriter.create(target, content)) {
      fisher
          .diagonal()
          .forEach(
              (parameter, values) ->
                  writer.slot(stored(parameter).name()).write(0, values, values.length));
      writer.commitWithoutManifest();
    }
  }

  private static TensorInfo stored(TensorInfo parameter) {
    Shape shape = parameter.shape();
    return new TensorInfo(DIAGONAL + parameter.name(), DType.F32, shape);
  }

  @Override
  public void close() {
    file.close();
  }
}
