package dev.smelt.compress.factorize;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Route;
import dev.smelt.compress.lowrank.Spectrum;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.Json;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Decompositions kept for later runs, as safetensors.
 *
 * <table>
 * <caption>Tensors of a layer</caption>
 * <tr><td>{@code singular_values/<module>}</td><td>f64 [≥ k]</td></tr>
 * <tr><td>{@code left/<module>}</td><td>f32 or f64 [k, out], the columns of A</td></tr>
 * <tr><td>{@code right/<module>}</td><td>f32 or f64 [k, in], the rows of B</td></tr>
 * </table>
 *
 * <p>The header has {@code smelt_format} "spectra", {@code version}, {@code made_from} (an object:
 * what model, statistics and metric) and {@code layers} (by module: norm, lossPerEnergy, shrinkage,
 * route, remark), both as JSON.
 */
public final class SpectraFile {

  private static final String FORMAT = "spectra";
  private static final String VERSION = "1";
  private static final String VALUES = "singular_values/";

  private SpectraFile() {}

  /** What the header says of a layer. */
  private record Entry(
      @JsonProperty(required = true) double norm,
      @JsonProperty(required = true) double lossPerEnergy,
      @JsonProperty(required = true) double shrinkage,
      @JsonProperty(required = true) String route,
      @Nullable String remark) {}

  /** The header's table of layers. */
  private record Entries(@JsonProperty(required = true) Map<String, Entry> layers) {}

  /** What a file holds; empty without one. */
  public static final class Contents implements AutoCloseable {

    private final Optional<Checkpoint> file;
    private final Map<String, Entry> entries;

    private Contents(Optional<Checkpoint> file, Map<String, Entry> entries) {
      this.file = file;
      this.entries = entries;
    }

    /** Without a file. */
    public static Contents none() {
      return new Contents(Optional.empty(), Map.of());
    }

    /** The decomposition of a layer, if it is there and reaches that far. */
    Optional<DecomposedLayer> find(Layer layer, int reach) {
      Entry entry = entries.get(layer.module());
      if (entry == null || file.isEmpty()) {
        return Optional.empty();
      }
      DecomposedLayer found = read(file.get(), layer, entry);
      return found.reach() >= reach ? Optional.of(found) : Optional.empty();
    }

    /** Whether it came from here. */
    boolean has(DecomposedLayer layer) {
      return file.flatMap(one -> one.find(Spectra.LEFT + layer.layer().module()))
          .filter(view -> view.segment().equals(layer.left().segment()))
          .isPresent();
    }

    @Override
    public void close() {
      file.ifPresent(Checkpoint::close);
    }
  }

  /**
   * Opens a file, or nothing where there is none.
   *
   * @param madeFrom what it must have been made from
   * @throws MismatchException when it was made from something else
   */
  public static Contents open(Path path, Map<String, String> madeFrom) {
    if (!Files.exists(path)) {
      return Contents.none();
    }
    Checkpoint file = Checkpoint.open(path);
    try {
      Map<String, String> header = file.metadata();
      if (!FORMAT.equals(header.get("smelt_format")) || !VERSION.equals(header.get("version"))) {
        throw new UnsupportedException(
            "not a file of spectra",
            path.toString(),
            "expected smelt_format " + FORMAT + " version " + VERSION,
            "name a file that smelt factorize --spectra has written, or a new one");
      }
      requireMadeFrom(path, header.getOrDefault("made_from", ""), madeFrom);
      byte[] layers = header.getOrDefault("layers", "").getBytes(StandardCharsets.UTF_8);
      return new Contents(
          Optional.of(file), Json.parse(layers, Entries.class, path + "|layers").layers());
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static void requireMadeFrom(Path path, String found, Map<String, String> expected) {
    String wanted = Json.writeCompact(expected);
    if (!found.equals(wanted)) {
      throw new MismatchException(
          "spectra of something else",
          path.toString(),
          "expected " + wanted + ", found " + found,
          "name another file for --spectra");
    }
  }

  private static DecomposedLayer read(Checkpoint file, Layer layer, Entry entry) {
    String module = layer.module();
    TensorView values = file.tensor(VALUES + module);
    TensorView left = file.tensor(Spectra.LEFT + module);
    TensorView right = file.tensor(Spectra.RIGHT + module);
    long reach = left.shape().rank() == 2 ? left.shape().size(0) : -1;
    boolean fits =
        left.shape().equals(Shape.of(reach, layer.out()))
            && right.shape().equals(Shape.of(reach, layer.in()))
            && values.shape().rank() == 1
            && values.elements() >= reach;
    if (!fits) {
      throw new CorruptException(
          "spectrum of another shape",
          file.path() + "|" + module,
          "expected a matrix of "
              + layer.out()
              + "x"
              + layer.in()
              + ", found "
              + left.shape()
              + " and "
              + right.shape(),
          "name another file for --spectra");
    }
    try {
      return new DecomposedLayer(
          layer,
          new Spectrum(values.toDoubles(), entry.norm()),
          entry.lossPerEnergy(),
          entry.shrinkage(),
          Optional.ofNullable(entry.remark()),
          Route.valueOf(entry.route().toUpperCase(Locale.ROOT)),
          left,
          right);
    } catch (IllegalArgumentException e) {
      throw new CorruptException(
          "malformed spectrum",
          file.path() + "|" + module,
          String.valueOf(e.getMessage()),
          "make it again");
    }
  }

  /** Writes all decompositions of a factorizer; replaces a file of the same name. */
  public static void write(Path path, Factorizer factorizer, Map<String, String> madeFrom) {
    List<DecomposedLayer> layers = factorizer.decomposed();
    List<TensorInfo> tensors = new ArrayList<>();
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (DecomposedLayer one : layers) {
      String module = one.layer().module();
      tensors.add(new TensorInfo(VALUES + module, DType.F64, Shape.of(one.spectrum().size())));
      tensors.add(one.left().info());
      tensors.add(one.right().info());
      entries.put(
          module,
          new Entry(
              one.spectrum().norm(),
              one.lossPerEnergy(),
              one.shrinkage(),
              one.route().toString(),
              one.remark().orElse(null)));
    }
    Map<String, String> header = new HashMap<>();
    header.put("smelt_format", FORMAT);
    header.put("version", VERSION);
    header.put("made_from", Json.writeCompact(madeFrom));
    header.put("layers", Json.writeCompact(new Entries(entries)));
    OutputOptions target = new OutputOptions(path, true, OutputOptions.DEFAULT_SHARD_BYTES);
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(tensors, header, Optional.empty(), List.of());
    try (CheckpointWriter writer = CheckpointWriter.create(target, content)) {
      for (DecomposedLayer one : layers) {
        double[] values = one.spectrum().singularValues();
        writer.slot(VALUES + one.layer().module()).write(0, values, values.length);
        writer.slot(one.left().name()).transfer(one.left());
        writer.slot(one.right().name()).transfer(one.right());
      }
      writer.commitWithoutManifest();
    }
  }
}
