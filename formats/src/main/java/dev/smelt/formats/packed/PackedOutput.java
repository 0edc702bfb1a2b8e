package dev.smelt.formats.packed;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.work.Workers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Finished tensors on their way into files in which those with many zeros are packed. How large a
 * packed tensor is must be known before anything is written, so all values are read twice.
 */
public final class PackedOutput {

  private final List<TensorView> tensors;
  private final Map<String, PackedTensor> packed;

  private PackedOutput(List<TensorView> tensors, Map<String, PackedTensor> packed) {
    this.tensors = tensors;
    this.packed = packed;
  }

  /**
   * Counts zeros.
   *
   * @param finished what a plain output would hold, in its order; scales as tensors of their own
   * @throws MismatchException when a name is one that parts of packed tensors have
   */
  public static PackedOutput of(List<TensorView> finished, int threads) {
    requireOrdinary(finished.stream().map(TensorView::info).toList());
    Map<String, PackedTensor> packed = new LinkedHashMap<>();
    for (Optional<PackedTensor> one : Workers.map(threads, finished, PackedTensor::of)) {
      one.ifPresent(tensor -> packed.put(tensor.name(), tensor));
    }
    return new PackedOutput(List.copyOf(finished), packed);
  }

  /**
   * @throws MismatchException when a name is one that parts of packed tensors have
   */
  public static void requireOrdinary(List<TensorInfo> tensors) {
    tensors.forEach(tensor -> requireOrdinary(tensor.name()));
  }

  private static void requireOrdinary(String name) {
    PackedFormat.ending(name)
        .ifPresent(
            ending -> {
              throw new MismatchException(
                  "tensor has a name that parts of packed tensors have",
                  name,
                  "expected one that does not end in " + ending,
                  "write it without packing");
            });
  }

  /** How many tensors are packed: those that take less room so. */
  public int packedTensors() {
    return packed.size();
  }

  public boolean isPacked(String tensor) {
    return packed.containsKey(tensor);
  }

  /** Bytes of all tensors as they will lie in the files. */
  public long bytes() {
    return infos().stream().mapToLong(TensorInfo::bytes).sum();
  }

  private List<TensorInfo> infos() {
    List<TensorInfo> infos = new ArrayList<>();
    for (TensorView tensor : tensors) {
      PackedTensor parts = packed.get(tensor.name());
      infos.addAll(parts == null ? List.of(tensor.info()) : parts.infos());
    }
    return infos;
  }

  /**
   * What to write in place of the plain output. Where nothing is packed that is the plain output
   * itself; otherwise metadata and config say that tensors are packed.
   *
   * @param plain with the tensors that were given
   */
  public CheckpointWriter.Content content(CheckpointWriter.Content plain) {
    if (!plain.tensors().equals(tensors.stream().map(TensorView::info).toList())) {
      throw new IllegalArgumentException("content of other tensors");
    }
    if (packed.isEmpty()) {
      return plain;
    }
    return new CheckpointWriter.Content(
        infos(),
        PackedFormat.mark(plain.metadata()),
        plain.config().map(PackedFormat::mark),
        plain.sideFiles(),
        plain.texts());
  }

  /**
   * Fills every slot of {@link #content}.
   *
   * @param slots by name
   */
  public void write(Function<String, TensorSlot> slots, int threads, Progress progress) {
    try (Progress.Task task = progress.begin("packing", tensors.size(), "tensors")) {
      List<Workers.Job> jobs = new ArrayList<>();
      for (TensorView tensor : tensors) {
        jobs.add(
            () -> {
              write(tensor, slots);
              task.advance(1);
            });
      }
      Workers.run(threads, jobs);
    }
  }

  private void write(TensorView tensor, Function<String, TensorSlot> slots) {
    PackedTensor parts = packed.get(tensor.name());
    if (parts == null) {
      slots.apply(tensor.name()).copy(tensor);
    } else {
      parts.write(slots);
    }
  }
}
