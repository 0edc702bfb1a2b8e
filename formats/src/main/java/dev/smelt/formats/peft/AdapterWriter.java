package dev.smelt.formats.peft;

import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.huggingface.WeightsFolder;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.WrittenFile;
import dev.smelt.formats.safetensors.SafetensorsWriter;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes the folder of an adapter. All tensors are known at the start; nothing is visible before
 * {@link #commit}, and closing without it leaves nothing.
 */
public final class AdapterWriter implements AutoCloseable {

  private final Staging staging;
  private final SafetensorsWriter weights;
  private final Map<String, TensorSlot> slots;
  private final List<String> names = new ArrayList<>();

  /**
   * What goes into the folder.
   *
   * @param tensors with PEFT's names
   * @param model config of the changed model, where it is another than the base's
   * @param sideFiles copied unchanged
   */
  public record Content(
      AdapterConfig config,
      List<TensorInfo> tensors,
      Optional<ModelConfig> model,
      List<Path> sideFiles) {

    public Content {
      tensors = List.copyOf(tensors);
      sideFiles = List.copyOf(sideFiles);
    }

    public long bytes() {
      return tensors.stream().mapToLong(TensorInfo::bytes).sum();
    }

    public long parameters() {
      return tensors.stream().mapToLong(TensorInfo::elements).sum();
    }
  }

  private AdapterWriter(Staging staging, Content content) {
    this.staging = staging;
    this.weights =
        new SafetensorsWriter(
            staging.file(Adapter.WEIGHTS), content.tensors(), Map.of("format", "pt"));
    this.slots = weights.slots();
    names.add(Adapter.WEIGHTS);
    addText(AdapterConfig.FILE, content.config().toJson());
    content.model().ifPresent(model -> addText(WeightsFolder.CONFIG, model.toJson()));
    for (Path file : content.sideFiles()) {
      staging.copy(file, String.valueOf(file.getFileName()));
      names.add(String.valueOf(file.getFileName()));
    }
  }

  /**
   * @throws UsageException when the target exists and may not be replaced
   */
  public static AdapterWriter create(Path target, boolean overwrite, Content content) {
    requireReplaceable(target, overwrite);
    Staging staging = Storage.local().stage(target, overwrite);
    boolean ready = false;
    try {
      AdapterWriter writer = new AdapterWriter(staging, content);
      ready = true;
      return writer;
    } finally {
      if (!ready) {
        staging.close();
      }
    }
  }

  /** Replacing deletes: only an adapter may be replaced by one. */
  public static void requireReplaceable(Path target, boolean overwrite) {
    Storage storage = Storage.local();
    boolean ours =
        !storage.exists(target)
            || Adapter.isFolder(target)
            || (storage.isFolder(target) && storage.isEmptyFolder(target));
    if (overwrite && !ours) {
      throw new UsageException(
          "will not replace what is no adapter [" + target + "]",
          "choose another name or remove it yourself");
    }
  }

  /** The place of a tensor. */
  public TensorSlot slot(String name) {
    TensorSlot slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("no slot planned for " + name);
    }
    return slot;
  }

  /**
   * Checks that every tensor is complete, lists the files in the manifest and makes the folder
   * visible.
   *
   * @return the manifest as written
   */
  public Manifest commit(Manifest manifest) {
    for (TensorSlot slot : slots.values()) {
      if (!slot.isComplete()) {
        throw new IllegalStateException("tensor not completely written: " + slot.info().name());
      }
    }
    weights.close();
    List<WrittenFile> written = new ArrayList<>();
    for (String name : names) {
      Path file = staging.file(name);
      written.add(new WrittenFile(name, Storage.local().size(file), Hashing.sha256(file)));
    }
    Manifest complete = manifest.withFiles(written);
    addText(Manifest.FILE, complete.toJson());
    staging.commitFolder();
    return complete;
  }

  private void addText(String name, String text) {
    staging.write(name, text);
    names.add(name);
  }

  @Override
  public void close() {
    try {
      weights.close();
    } finally {
      staging.close();
    }
  }
}
