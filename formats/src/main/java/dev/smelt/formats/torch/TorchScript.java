package dev.smelt.formats.torch;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.zip.ZipArchive;
import dev.smelt.formats.zip.ZipWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A TorchScript module seen as a form to be filled: its code, and named places for tensors. {@link
 * #write} makes the same module with other values in these places.
 */
public final class TorchScript implements AutoCloseable {

  /** Sources, constants and the like, each. */
  private static final int MAX_ENTRY_BYTES = 1 << 28;

  private final Path path;
  private final Arena arena;
  private final ZipCheckpointFile file;
  private final ScriptTensors tensors;

  /**
   * A parameter or buffer of the module.
   *
   * @param aliasOf the name of an earlier place that is the same tensor, where weights are tied
   */
  public record Place(TensorInfo info, boolean isParameter, Optional<String> aliasOf) {

    public String name() {
      return info.name();
    }
  }

  private TorchScript(Path path, Arena arena, ZipCheckpointFile file, long fileBytes) {
    this.path = path;
    this.arena = arena;
    this.file = file;
    this.tensors = file.scriptTensors();
    // Also checks that storages are there and reach as far as their tensors.
    TensorBuilder builder = new TensorBuilder(file::data, arena, path.toString(), fileBytes);
    tensors.tensors().forEach(builder::build);
  }

  /**
   * @throws dev.smelt.formats.BadInputException when it is no readable TorchScript file
   */
  public static TorchScript open(Path path) {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      MemorySegment bytes = Storage.local().map(path, arena);
      if (!ZipArchive.isZip(bytes)) {
        throw notScript(path);
      }
      ZipCheckpointFile file = ZipCheckpointFile.open(bytes, path.toString());
      if (!file.isScript()) {
        throw notScript(path);
      }
      TorchScript script = new TorchScript(path, arena, file, bytes.byteSize());
      opened = true;
      return script;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  private static UnsupportedException notScript(Path path) {
    return new UnsupportedException(
        "not a TorchScript file",
        path.toString(),
        "expected an archive with code/ and constants.pkl",
        "save the module with torch.jit.save(torch.jit.trace(…)) or torch.jit.script");
  }

  /** In the module's order. */
  public List<Place> places() {
    Map<Long, String> first = new HashMap<>();
    return tensors.tensors().stream()
        .map(
            tensor -> {
              String name = tensor.info().name();
              Optional<String> known = Optional.ofNullable(first.putIfAbsent(tensor.call(), name));
              return new Place(tensor.info(), tensors.parameters().contains(name), known);
            })
        .toList();
  }

  /**
   * Writes the module with these values, converted to its own types; places without a value keep
   * the module's.
   *
   * @param values by the module's names; shapes as in the module
   * @return the names of the tensors whose values had to be rounded
   * @throws MismatchException when a value cannot be converted, or when places share memory and
   *     their values differ
   */
  public Set<String> write(Path target, Map<String, TensorView> values) {
    Set<String> rounded = new TreeSet<>();
    try (Arena work = Arena.ofConfined();
        ZipWriter zip = new ZipWriter(target)) {
      Map<String, MemorySegment> storages = new LinkedHashMap<>();
      Map<StridedTensor, MemorySegment> filled = new LinkedHashMap<>();
      for (StridedTensor tensor : tensors.tensors()) {
        TensorView value = values.get(tensor.info().name());
        if (value != null) {
          ConvertedTensor converted = ConvertedTensor.of(value, tensor.info(), work);
          MemorySegment storage =
              storages.computeIfAbsent(file.entry(tensor.storage()), _ -> copy(tensor, work));
          StridedCopy.scatter(tensor, converted.bytes(), storage);
          filled.put(tensor, converted.bytes());
          if (converted.rounded()) {
            rounded.add(tensor.info().name());
          }
        }
      }
      for (Map.Entry<StridedTensor, MemorySegment> one : filled.entrySet()) {
        String entry = file.entry(one.getKey().storage());
        requireKept(one.getKey(), one.getValue(), Objects.requireNonNull(storages.get(entry)));
      }
      file.copyTo(zip, storages, MAX_ENTRY_BYTES);
      zip.finish();
    }
    return rounded;
  }

  private MemorySegment copy(StridedTensor tensor, Arena work) {
    MemorySegment original = file.data(tensor.storage(), tensor.info().name());
    return work.allocate(original.byteSize(), Long.BYTES).copyFrom(original);
  }

  /** A later value may have been written over an earlier one, where views overlap. */
  private void requireKept(StridedTensor tensor, MemorySegment bytes, MemorySegment storage) {
    try (Arena work = Arena.ofConfined()) {
      MemorySegment found = work.allocate(bytes.byteSize(), Long.BYTES);
      StridedCopy.gather(tensor, storage, found);
      if (found.mismatch(bytes) != -1) {
        throw new MismatchException(
            "tensors that the module keeps in the same memory differ",
            path + "|" + tensor.info().name(),
            "its values and another tensor's overlap in storage '" + tensor.storage().key() + "'",
            "use a checkpoint in which they are tied, too");
      }
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
