package dev.smelt.formats.huggingface;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.packed.PackedOutput;
import dev.smelt.formats.safetensors.SafetensorsFile;
import dev.smelt.formats.safetensors.SafetensorsWriter;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Writes what {@link SafetensorsOutput} writes, with tensors packed. How large they are is known
 * when all values are, so plain tensors go into a file of the staging folder first.
 */
public final class PackingOutput implements CheckpointWriter {

  private static final String PLAIN = ".smelt-plain";

  private final OutputOptions options;
  private final Content content;
  private final int threads;
  private final Progress progress;
  private final Staging staging;
  private final FolderOutput files;
  private final SafetensorsWriter plain;
  private final Map<String, TensorSlot> slots;

  private PackingOutput(
      OutputOptions options,
      Content content,
      int threads,
      Progress progress,
      Staging staging,
      SafetensorsWriter plain) {
    this.options = options;
    this.content = content;
    this.threads = threads;
    this.progress = progress;
    this.staging = staging;
    this.files = new FolderOutput(staging, "");
    this.plain = plain;
    this.slots = plain.slots();
  }

  /** See {@link CheckpointWriter#createPacked}. */
  public static CheckpointWriter create(
      OutputOptions options, Content content, int threads, Progress progress) {
    SafetensorsOutput.requireReplaceable(options);
    options.requirePackable();
    PackedOutput.requireOrdinary(content.tensors());
    Staging staging = Storage.local().stage(options.target(), options.overwrite());
    boolean ready = false;
    try {
      // Packed tensors are smaller than plain ones.
      SafetensorsOutput.requireSpace(staging, options, Math.multiplyExact(2, content.bytes()));
      SafetensorsWriter plain =
          new SafetensorsWriter(staging.file(PLAIN), content.tensors(), Map.of());
      ready = true;
      return new PackingOutput(options, content, threads, progress, staging, plain);
    } finally {
      if (!ready) {
        staging.close();
      }
    }
  }

  @Override
  public TensorSlot slot(String name) {
    TensorSlot slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("no slot planned for " + name);
    }
    return slot;
  }

  /**
   * {@inheritDoc}
   *
   * <p>The manifest also gets the bytes of packed tensors, or a note that nothing was packed.
   */
  @Override
  public Manifest commit(Manifest manifest) {
    Optional<Long> bytes = pack();
    Manifest complete =
        bytes
            .map(manifest::withPackedBytes)
            .orElseGet(() -> manifest.withNote("no tensor would take less room packed"));
    return SafetensorsOutput.commit(options, staging, files, complete);
  }

  @Override
  public void commitWithoutManifest() {
    var _ = pack();
    SafetensorsOutput.commit(options, staging, files);
  }

  /** Bytes of all tensors as they are written; none where nothing is packed. */
  private Optional<Long> pack() {
    for (TensorSlot slot : slots.values()) {
      if (!slot.isComplete()) {
        throw new IllegalStateException("tensor not completely written: " + slot.info().name());
      }
    }
    plain.close();
    Path file = staging.file(PLAIN);
    PackedOutput packed;
    try (Arena arena = Arena.ofShared()) {
      packed = PackedOutput.of(inOrder(SafetensorsFile.open(file, arena)), threads);
      SafetensorsOutput.begin(options, files, packed.content(content));
      packed.write(files::slot, threads, progress);
    }
    Storage.local().delete(file);
    return packed.packedTensors() == 0 ? Optional.empty() : Optional.of(packed.bytes());
  }

  private List<TensorView> inOrder(SafetensorsFile file) {
    Map<String, TensorView> views =
        file.tensors().stream().collect(Collectors.toMap(TensorView::name, Function.identity()));
    return content.tensors().stream()
        .map(TensorInfo::name)
        .map(name -> Objects.requireNonNull(views.get(name)))
        .toList();
  }

  @Override
  public void close() {
    try (staging;
        files) {
      plain.close();
    }
  }
}
