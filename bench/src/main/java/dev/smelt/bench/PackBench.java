package dev.smelt.bench;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.packed.PackedOutput;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Packing and unpacking of one large BF16 tensor with half of its elements 0, at random places,
 * beside copying it. Files that are timed are never flushed, so that it is the work that is
 * measured and not the disk; everything runs on one thread.
 */
final class PackBench {

  private static final Shape SHAPE = Shape.of(16_384, 32_768);
  private static final int RUNS = 5;
  private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED;

  private final PrintStream out;
  private final Path folder;
  private final TensorView dense;

  private PackBench(PrintStream out, Path folder, TensorView dense) {
    this.out = out;
    this.folder = folder;
    this.dense = dense;
  }

  static void run(PrintStream out) {
    try (TempFolder folder = TempFolder.make();
        Arena arena = Arena.ofShared()) {
      TensorInfo info = new TensorInfo("w", DType.BF16, SHAPE);
      MemorySegment bytes = arena.allocate(info.bytes());
      SplittableRandom random = new SplittableRandom(1);
      for (long i = 0; i < info.elements(); i++) {
        int value = random.nextInt();
        bytes.set(U16, i * Short.BYTES, value < 0 ? 0 : (short) (value | 1));
      }
      new PackBench(out, folder.path(), new TensorView(info, bytes)).measure(arena);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void measure(Arena arena) {
    out.printf("## Packing: %.2f GB of BF16, half of it 0%n%n", dense.info().bytes() / 1e9);
    out.println("| | ms | GB/s of the plain tensor | of copying |");
    out.println("|---|---|---|---|");
    MemorySegment copy = arena.allocate(dense.info().bytes());
    double inMemory = row("copy in memory", 0, () -> copy.copyFrom(dense.segment()));
    row("count zeros", inMemory, () -> PackedOutput.of(List.of(dense), 1));
    double toFile = row("write plain file", 0, () -> write(Optional.empty(), false));
    PackedOutput packed = PackedOutput.of(List.of(dense), 1);
    row("write packed file, counted before", toFile, () -> write(Optional.of(packed), false));
    row(
        "count and write packed file",
        toFile,
        () -> write(Optional.of(PackedOutput.of(List.of(dense), 1)), false));
    write(Optional.empty(), true);
    write(Optional.of(packed), true);
    Path file = folder.resolve("packed.safetensors");
    Path plain = folder.resolve("plain.safetensors");
    double mapped =
        row(
            "copy from a plain file to a scratch file",
            0,
            () -> {
              try (Checkpoint checkpoint = Checkpoint.open(plain);
                  Scratch scratch = Storage.local().scratch(folder)) {
                MemorySegment source = checkpoint.tensor("w").segment();
                scratch.allocate(source.byteSize()).copyFrom(source);
              }
            });
    row(
        "unpack from a file to a scratch file",
        mapped,
        () -> {
          try (Checkpoint checkpoint = Checkpoint.open(file)) {
            checkpoint.tensor("w").segment();
          }
        });
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      boolean same = checkpoint.tensor("w").sameBits(dense);
      out.printf(
          "%nPacked: %.4f of the plain bytes; %s.%n",
          (double) checkpoint.fileBytes() / checkpoint.bytes(),
          same ? "all bits come back" : "BITS DIFFER");
    }
  }

  private void write(Optional<PackedOutput> packed, boolean keep) {
    CheckpointWriter.Content plain =
        new CheckpointWriter.Content(List.of(dense.info()), Map.of(), Optional.empty(), List.of());
    Path target = folder.resolve(packed.isPresent() ? "packed.safetensors" : "plain.safetensors");
    CheckpointWriter.Content content = packed.map(one -> one.content(plain)).orElse(plain);
    OutputOptions options = OutputOptions.to(target);
    try (CheckpointWriter writer = CheckpointWriter.create(options, content)) {
      if (packed.isPresent()) {
        packed.get().write(writer::slot, 1, Progress.NONE);
      } else {
        writer.slot("w").copy(dense);
      }
      if (keep) {
        writer.commitWithoutManifest();
      }
    }
  }

  /**
   * @param reference milliseconds to compare with; 0 for none
   * @return milliseconds of the best run: others on the machine only make it slower
   */
  private double row(String what, double reference, Runnable work) {
    work.run();
    double best = Double.POSITIVE_INFINITY;
    for (int i = 0; i < RUNS; i++) {
      long start = System.nanoTime();
      work.run();
      best = Math.min(best, (System.nanoTime() - start) / 1e6);
    }
    out.printf(
        "| %s | %.0f | %.2f | %s |%n",
        what,
        best,
        dense.info().bytes() / best / 1e6,
        reference == 0 ? "" : String.format("%.0f %%", 100 * reference / best));
    return best;
  }
}
