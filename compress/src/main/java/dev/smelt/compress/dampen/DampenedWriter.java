package dev.smelt.compress.dampen;

import dev.smelt.compress.dampen.Planned.Dampened;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.work.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Writes a dampened model: every tensor is cut into pieces, each a job that reads its stretch once.
 * What is written does not depend on the number of threads.
 *
 * @param output a tensor as it will be stored
 */
record DampenedWriter(
    DampenedTensors kernel,
    Function<TensorView, TensorInfo> output,
    CheckpointWriter writer,
    int threads) {

  /** Elements of one job; a multiple of {@link #CHUNK}. */
  private static final long PIECE = 1 << 22;

  /** Elements written at a time; a multiple of 8, so that narrow types fill whole bytes. */
  private static final int CHUNK = 1 << 16;

  private record Piece(Dampened tensor, long first, long count) {}

  /** What was done, by tensor; sums are taken in one order. */
  Map<String, Lowered> write(List<Planned> tensors, Progress progress) {
    List<Piece> pieces = new ArrayList<>();
    List<TensorView> others = new ArrayList<>();
    long elements = 0;
    for (Planned planned : tensors) {
      elements += planned.source().elements();
      switch (planned) {
        case Planned.Kept kept -> others.add(kept.source());
        case Dampened tensor -> {
          for (long first = 0; first < tensor.source().elements(); first += PIECE) {
            pieces.add(
                new Piece(tensor, first, Math.min(PIECE, tensor.source().elements() - first)));
          }
        }
      }
    }
    Map<String, Lowered> all = new HashMap<>();
    try (Progress.Task task = progress.begin("dampening", elements, "parameters")) {
      List<Lowered> found = Workers.map(threads, pieces, piece -> write(piece, task));
      for (int i = 0; i < found.size(); i++) {
        all.merge(pieces.get(i).tensor().source().name(), found.get(i), Lowered::plus);
      }
      Workers.run(threads, others.stream().map(tensor -> copy(tensor, task)).toList());
    }
    return all;
  }

  private Lowered write(Piece piece, Progress.Task task) {
    TensorView source = piece.tensor().source();
    TensorInfo info = output.apply(source);
    TensorSlot slot = writer.slot(source.name());
    Lowered all = Lowered.NONE;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(info.dtype().bytes(CHUNK));
      for (long at = 0; at < piece.count(); at += CHUNK) {
        int count = (int) Math.min(CHUNK, piece.count() - at);
        long first = piece.first() + at;
        all = all.plus(kernel.write(piece.tensor(), info, first, count, buffer, 0));
        long bytes = info.dtype().bytes(count);
        slot.writeStored(first, buffer.asSlice(0, bytes).asByteBuffer());
      }
    }
    task.advance(piece.count());
    return all;
  }

  private Workers.Job copy(TensorView tensor, Progress.Task task) {
    return () -> {
      writer.slot(tensor.name()).transfer(tensor);
      task.advance(tensor.elements());
    };
  }
}
