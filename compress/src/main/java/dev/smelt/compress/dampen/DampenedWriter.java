package dev.smelt.compress.dampen;

import dev.smelt.compress.dampen.Planned.Dampened;
import dev.smelt.compress.layer.Piece;
import dev.smelt.compress.layer.PiecewiseWriter;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.TensorSlot;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Writes a dampened model piece by piece; each is read once.
 *
 * @param output a tensor as it will be stored
 */
record DampenedWriter(
    DampenedTensors kernel,
    Function<TensorView, TensorInfo> output,
    CheckpointWriter writer,
    int threads) {

  /** Elements written at a time; a multiple of 8, so that narrow types fill whole bytes. */
  private static final int CHUNK = 1 << 16;

  /** What was done, by tensor. */
  Map<String, Lowered> write(List<Planned> tensors, Progress progress) {
    List<Dampened> changed = new ArrayList<>();
    List<TensorView> others = new ArrayList<>();
    for (Planned planned : tensors) {
      switch (planned) {
        case Planned.Kept kept -> others.add(kept.source());
        case Dampened tensor -> changed.add(tensor);
      }
    }
    long elements = tensors.stream().mapToLong(planned -> planned.source().elements()).sum();
    try (Progress.Task task = progress.begin("dampening", elements, "parameters")) {
      PiecewiseWriter pieces = new PiecewiseWriter(writer, threads, task);
      Map<String, Lowered> found =
          pieces.write(
              changed.stream().map(Dampened::source).toList(),
              piece -> write(changed.get(piece.tensor()), piece),
              Lowered::plus);
      pieces.copy(others);
      return found;
    }
  }

  private Lowered write(Dampened tensor, Piece piece) {
    TensorInfo info = output.apply(tensor.source());
    TensorSlot slot = writer.slot(info.name());
    Lowered all = Lowered.NONE;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(info.dtype().bytes(CHUNK));
      for (int at = 0; at < piece.count(); at += CHUNK) {
        int count = Math.min(CHUNK, piece.count() - at);
        long first = piece.first() + at;
        all = all.plus(kernel.write(tensor, info, first, count, buffer, 0));
        long bytes = info.dtype().bytes(count);
        slot.writeStored(first, buffer.asSlice(0, bytes).asByteBuffer());
      }
    }
    return all;
  }
}
