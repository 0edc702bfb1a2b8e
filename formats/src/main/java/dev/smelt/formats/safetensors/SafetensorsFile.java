package dev.smelt.formats.safetensors;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.storage.Storage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** One mapped safetensors file; its views live as long as the arena it was opened in. */
public final class SafetensorsFile {

  private final List<TensorView> tensors;
  private final Map<String, String> metadata;

  private SafetensorsFile(List<TensorView> tensors, Map<String, String> metadata) {
    this.tensors = tensors;
    this.metadata = metadata;
  }

  /**
   * Reads and validates the header; data is mapped, not read.
   *
   * @throws BadInputException a typed refusal when the file is not exactly in the format
   */
  public static SafetensorsFile open(Path path, Arena arena) {
    MemorySegment file = Storage.local().map(path, arena);
    SafetensorsHeader header = HeaderParser.parse(file, path.toString());
    List<TensorView> views =
        header.entries().stream()
            .map(
                entry ->
                    new TensorView(
                        entry.info(),
                        file.asSlice(header.dataStart() + entry.offset(), entry.info().bytes())))
            .toList();
    return new SafetensorsFile(views, header.metadata());
  }

  /** By rising offset. */
  public List<TensorView> tensors() {
    return tensors;
  }

  public Map<String, String> metadata() {
    return metadata;
  }
}
