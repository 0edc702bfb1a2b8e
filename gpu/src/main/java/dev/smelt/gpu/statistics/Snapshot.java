package dev.smelt.gpu.statistics;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.statistics.Plan.Entry;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The work so far, between two batches, as a safetensors file: the sums in f64 under {@code
 * total/<name>}, the spread over batches under {@code spread}, and in the header what identifies
 * the run and how far it is.
 *
 * @param next index of the first example not seen yet
 * @param tokens seen
 * @param batch examples at a time
 */
record Snapshot(int next, long tokens, int batch) {

  private static final String TOTAL = "total/";
  private static final String SPREAD = "spread";
  private static final String NEXT = "next";
  private static final String TOKENS = "tokens";
  private static final String BATCH = "batch";
  private static final String IDENTITY = "identity.";

  /** In messages, for what only one of two runs has. */
  private static final String ABSENT = "none";

  /** Elements copied at a time. */
  private static final int CHUNK = 1 << 20;

  static boolean exists(Saving saving) {
    return Storage.local().exists(saving.partial());
  }

  void save(Saving saving, Plan plan, Totals totals, BatchSpread spread) {
    List<TensorInfo> tensors = new ArrayList<>();
    for (Entry entry : plan.estimated()) {
      tensors.add(total(entry));
    }
    double[] state = spread.state();
    tensors.add(new TensorInfo(SPREAD, DType.F64, Shape.of(state.length)));
    Map<String, String> metadata = new TreeMap<>();
    saving.identity().forEach((key, value) -> metadata.put(IDENTITY + key, value));
    metadata.put(NEXT, String.valueOf(next));
    metadata.put(TOKENS, String.valueOf(tokens));
    metadata.put(BATCH, String.valueOf(batch));
    OutputOptions target =
        new OutputOptions(saving.partial(), true, OutputOptions.DEFAULT_SHARD_BYTES);
    try (CheckpointWriter writer =
        CheckpointWriter.create(
            target, new CheckpointWriter.Content(tensors, metadata, Optional.empty(), List.of()))) {
      for (Entry entry : plan.estimated()) {
        totals.read(
            entry,
            (first, values) ->
                writer.slot(total(entry).name()).write(first, values, values.length));
      }
      writer.slot(SPREAD).write(0, state, state.length);
      writer.commitWithoutManifest();
    }
  }

  private static TensorInfo total(Entry entry) {
    return new TensorInfo(TOTAL + entry.stored().name(), DType.F64, entry.summed());
  }

  /**
   * Puts back what was saved.
   *
   * @throws MismatchException when the saved run was another one, saying in what
   */
  static Snapshot restore(Saving saving, Plan plan, Totals totals, BatchSpread spread) {
    try (Checkpoint file = Checkpoint.open(saving.partial())) {
      requireSameRun(saving, file);
      for (Entry entry : plan.estimated()) {
        restore(totals, entry, tensor(file, total(entry)));
      }
      TensorInfo state = new TensorInfo(SPREAD, DType.F64, Shape.of(spread.state().length));
      spread.restore(tensor(file, state).toDoubles());
      return new Snapshot(
          Math.toIntExact(number(file, NEXT)),
          number(file, TOKENS),
          Math.toIntExact(number(file, BATCH)));
    }
  }

  private static void restore(Totals totals, Entry entry, TensorView saved) {
    for (long first = 0; first < saved.elements(); first += CHUNK) {
      double[] values = new double[(int) Math.min(CHUNK, saved.elements() - first)];
      saved.read(first, values.length, values);
      totals.restore(entry, first, values);
    }
  }

  private static TensorView tensor(Checkpoint file, TensorInfo expected) {
    TensorView found = file.tensor(expected.name());
    if (!found.info().equals(expected)) {
      throw new MismatchException(
          "saved work is of another run",
          expected.name(),
          "expected " + expected + ", found " + found.info(),
          "use --overwrite instead of --resume to begin anew");
    }
    return found;
  }

  private static void requireSameRun(Saving saving, Checkpoint file) {
    SortedSet<String> keys = new TreeSet<>(saving.identity().keySet());
    file.metadata().keySet().stream()
        .filter(key -> key.startsWith(IDENTITY))
        .forEach(key -> keys.add(key.substring(IDENTITY.length())));
    for (String key : keys) {
      String expected = saving.identity().getOrDefault(key, ABSENT);
      String found = file.metadata().getOrDefault(IDENTITY + key, ABSENT);
      if (!expected.equals(found)) {
        throw new MismatchException(
            "saved work is of another run",
            file.path().toString(),
            "expected " + key + " " + expected + ", found " + found,
            "use --overwrite instead of --resume to begin anew");
      }
    }
  }

  private static long number(Checkpoint file, String key) {
    String text = file.metadata().get(key);
    if (text == null || !text.matches("\\d{1,18}")) {
      throw new CorruptException(
          "malformed saved work",
          file.path().toString(),
          "expected a number under '" + key + "', found '" + text + "'",
          "use --overwrite instead of --resume to begin anew");
    }
    return Long.parseLong(text);
  }
}
