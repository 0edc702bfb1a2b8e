package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Piece;
import dev.smelt.compress.layer.PiecewiseWriter;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.TensorEncoder;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Scratch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;

/** Writes a pruned model piece by piece, and takes down what changed on the way. */
final class PrunedWriter {

  /** Decoded at a time; a multiple of 64. */
  private static final int PART = 1 << 14;

  /** Elements of two bytes that are written at a time; a multiple of 64. */
  private static final int HALVES = 1 << 16;

  private final PrunedModel model;
  private final int threads;
  private final Progress progress;

  PrunedWriter(PrunedModel model, int threads, Progress progress) {
    this.model = model;
    this.threads = threads;
    this.progress = progress;
  }

  /** What changed, by tensor. */
  Map<String, Change> write(CheckpointWriter writer) {
    List<PrunedLayer> layers = List.copyOf(model.layers().values());
    List<TensorView> others =
        model.original().tensors().stream()
            .filter(tensor -> !model.layers().containsKey(tensor.name()))
            .toList();
    try (Progress.Task task = progress.begin("writing", model.parameters(), "parameters")) {
      PiecewiseWriter pieces = new PiecewiseWriter(writer, threads, task);
      Map<String, Change> changes =
          pieces.write(
              layers.stream().map(layer -> layer.layer().weight()).toList(),
              piece -> write(piece, layers.get(piece.tensor()), writer),
              Change::plus);
      pieces.copy(others);
      return changes;
    }
  }

  private Change write(Piece piece, PrunedLayer layer, CheckpointWriter writer) {
    TensorView weight = layer.layer().weight();
    TensorSlot slot = writer.slot(weight.name());
    if (!model.isPlain(layer)) {
      TensorView after = model.tensor(weight.name());
      long start = after.dtype().bytes(piece.first());
      long bytes = after.dtype().bytes(piece.count());
      slot.writeStored(piece.first(), after.segment().asSlice(start, bytes).asByteBuffer());
      return compare(piece, weight, after);
    }
    if (layer.mask() instanceof LeastHalves mask) {
      writeHalves(piece, weight, slot, mask::clear);
      return piece.first() == 0 ? mask.change() : Change.NONE;
    }
    if (Halves.are(weight)) {
      HalfCensus census = new HalfCensus(layer.mask());
      writeHalves(piece, weight, slot, census::clear);
      return census.change(weight.dtype());
    }
    return writeMasked(piece, weight, layer.mask(), slot);
  }

  private static Change compare(Piece piece, TensorView before, TensorView after) {
    Change all = Change.NONE;
    for (int at = 0; at < piece.count(); at += PART) {
      int count = Math.min(PART, piece.count() - at);
      all = all.plus(Change.of(before, after, piece.first() + at, count));
    }
    return all;
  }

  private static Change writeMasked(Piece piece, TensorView weight, Mask mask, TensorSlot slot) {
    double[] before = new double[Math.min(PART, piece.count())];
    Change all = Change.NONE;
    for (int at = 0; at < piece.count(); at += PART) {
      long first = piece.first() + at;
      int count = Math.min(PART, piece.count() - at);
      weight.read(first, count, before);
      double[] after = before.clone();
      mask.clear(first, count, after);
      slot.write(first, after, count);
      all = all.plus(Change.of(before, after, count));
    }
    return all;
  }

  @FunctionalInterface
  private interface Eraser {
    /** Sets to 0 what goes of weights {@code first … first+count-1}. */
    void clear(long first, int count, long[] words);
  }

  private static void writeHalves(Piece piece, TensorView weight, TensorSlot slot, Eraser eraser) {
    long[] words = new long[HALVES / Halves.IN_WORD];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate((long) HALVES * Short.BYTES);
      for (int at = 0; at < piece.count(); at += HALVES) {
        long first = piece.first() + at;
        int count = Math.min(HALVES, piece.count() - at);
        Halves.read(weight, first, count, words);
        eraser.clear(first, count, words);
        Halves.write(words, count, buffer);
        slot.writeStored(first, buffer.asSlice(0, (long) count * Short.BYTES).asByteBuffer());
      }
    }
  }

  /** A tensor with some weights zero, in its new type, on disk. */
  static TensorView masked(TensorView weight, Mask mask, TensorInfo info, Scratch scratch) {
    MemorySegment bytes = scratch.allocate(info.bytes());
    TensorEncoder encoder = new TensorEncoder(info);
    double[] part = new double[(int) Math.min(PART, weight.elements())];
    for (long first = 0; first < weight.elements(); first += PART) {
      int count = (int) Math.min(PART, weight.elements() - first);
      weight.read(first, count, part);
      mask.clear(first, count, part);
      encoder.encode(part, count, first, bytes, first);
    }
    return new TensorView(info, bytes);
  }
}
