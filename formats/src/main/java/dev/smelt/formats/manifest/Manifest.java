package dev.smelt.formats.manifest;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The content of smelt.json. The same inputs give the same bytes: no times, no host names, fixed
 * order.
 *
 * @param smelt version of the tool
 * @param command that wrote the checkpoint: "merge", "factorize", …
 * @param parameters its options as they took effect, defaults included
 * @param inputs everything that was read, in the order given
 * @param totals sizes of the model before and after
 * @param models of a zoo, in the order given; null of a single model
 * @param tensors what was done to each tensor of the input, in the input's order; of several models
 *     names begin with {@code <model>/}
 * @param clusters matrices that share a basis; null where none do
 * @param leftOut hidden units, heads or blocks that the model lacks; null where all are there
 * @param measured what models made on the way achieve on data, in the order in which they were
 *     made; null where no data were given
 * @param notes decisions the user should know of, one sentence each
 * @param files what was written beside this manifest
 */
public record Manifest(
    @JsonProperty(required = true) String smelt,
    @JsonProperty(required = true) String command,
    @JsonProperty(required = true) Map<String, Object> parameters,
    @JsonProperty(required = true) List<Input> inputs,
    @JsonProperty(required = true) Totals totals,
    @Nullable List<ModelRecord> models,
    @JsonProperty(required = true) List<TensorRecord> tensors,
    @Nullable List<ClusterRecord> clusters,
    @Nullable List<LeftOutRecord> leftOut,
    @Nullable List<Measured> measured,
    @JsonProperty(required = true) List<String> notes,
    @JsonProperty(required = true) List<WrittenFile> files) {

  /** Inside a checkpoint's folder. */
  public static final String FILE = "smelt.json";

  /** Manifests of a million tensors take about this. */
  private static final long MAX_BYTES = 1_000_000_000;

  public Manifest {
    parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
    inputs = List.copyOf(inputs);
    models = models == null || models.isEmpty() ? null : List.copyOf(models);
    tensors = List.copyOf(tensors);
    clusters = clusters == null || clusters.isEmpty() ? null : List.copyOf(clusters);
    leftOut = leftOut == null || leftOut.isEmpty() ? null : List.copyOf(leftOut);
    measured = measured == null || measured.isEmpty() ? null : List.copyOf(measured);
    notes = List.copyOf(notes);
    files = List.copyOf(files);
  }

  /**
   * @param role "model", "base", "adapter", "statistics", "forget" or "retain"
   * @param path as given by the user
   * @param sha256 of the content: {@link ContentHash} of checkpoints, of the bytes of other files
   */
  public record Input(String role, String path, long bytes, String sha256) {}

  /**
   * One of several models that are written together.
   *
   * @param name of its folder
   * @param bytesBefore of its tensors
   * @param bytesOwn of the tensors in its own folder
   */
  public record ModelRecord(String name, long bytesBefore, long bytesOwn) {}

  /**
   * @param stage what was measured: "dense", "factors", "refined", "tuned", "clustered", "dampened"
   * @param model which of several models; null where there is one
   * @param bytes of all tensors of that model
   * @param loss nats per token predicted, or per example for classifiers
   * @param perplexity e^loss, where tokens are predicted
   */
  public record Measured(
      String stage,
      @Nullable String model,
      String data,
      long bytes,
      double loss,
      @Nullable Double perplexity,
      double accuracy) {}

  /**
   * Bytes are those of tensors, without headers; parameters are elements of tensors.
   *
   * @param bytesAfter of packed tensors, those of the plain ones
   * @param packedBytes of the tensors as they lie in the files; null where none is packed
   */
  public record Totals(
      long bytesBefore,
      long bytesAfter,
      long parametersBefore,
      long parametersAfter,
      @Nullable Long packedBytes) {

    /** Where no tensor is packed. */
    public Totals(long bytesBefore, long bytesAfter, long parametersBefore, long parametersAfter) {
      this(bytesBefore, bytesAfter, parametersBefore, parametersAfter, null);
    }
  }

  /**
   * @param name relative to the checkpoint's folder
   */
  public record WrittenFile(String name, long bytes, String sha256) {}

  /**
   * @throws CorruptException when the file is not a manifest
   */
  public static Manifest read(Path file) {
    return Json.parse(Storage.local().read(file, MAX_BYTES), Manifest.class, file.toString());
  }

  /** The manifest's name beside a weights file: {@code model.safetensors → model.smelt.json}. */
  public static String nameBeside(String weightsFile) {
    return weightsFile.replaceFirst("\\.safetensors$", "") + "." + FILE;
  }

  public String toJson() {
    return Json.write(this);
  }

  /** A manifest of one model, before it is written. */
  public static Manifest of(
      String smelt,
      String command,
      Map<String, Object> parameters,
      List<Input> inputs,
      Totals totals,
      List<TensorRecord> tensors,
      List<String> notes) {
    return new Manifest(
        smelt,
        command,
        parameters,
        inputs,
        totals,
        null,
        tensors,
        null,
        null,
        null,
        notes,
        List.of());
  }

  /** The same manifest of a zoo. */
  public Manifest withModels(List<ModelRecord> all) {
    return with(totals, all, clusters, leftOut, measured, notes, files);
  }

  /** The same manifest with measurements. */
  public Manifest withMeasured(List<Measured> found) {
    return with(totals, models, clusters, leftOut, found, notes, files);
  }

  /** The same manifest with clusters. */
  public Manifest withClusters(List<ClusterRecord> found) {
    return with(totals, models, found, leftOut, measured, notes, files);
  }

  /** The same manifest of a model that lacks units. */
  public Manifest withLeftOut(List<LeftOutRecord> units) {
    return with(totals, models, clusters, units, measured, notes, files);
  }

  /** The same manifest of tensors that are packed. */
  public Manifest withPackedBytes(long packedBytes) {
    Totals packed =
        new Totals(
            totals.bytesBefore(),
            totals.bytesAfter(),
            totals.parametersBefore(),
            totals.parametersAfter(),
            packedBytes);
    return with(packed, models, clusters, leftOut, measured, notes, files);
  }

  /** The same manifest with one more note. */
  public Manifest withNote(String note) {
    List<String> more = new ArrayList<>(notes);
    more.add(note);
    return with(totals, models, clusters, leftOut, measured, more, files);
  }

  /** The same manifest, listing what was written. */
  public Manifest withFiles(List<WrittenFile> written) {
    return with(totals, models, clusters, leftOut, measured, notes, written);
  }

  private Manifest with(
      Totals totals,
      @Nullable List<ModelRecord> models,
      @Nullable List<ClusterRecord> clusters,
      @Nullable List<LeftOutRecord> leftOut,
      @Nullable List<Measured> measured,
      List<String> notes,
      List<WrittenFile> files) {
    return new Manifest(
        smelt,
        command,
        parameters,
        inputs,
        totals,
        models,
        tensors,
        clusters,
        leftOut,
        measured,
        notes,
        files);
  }
}
