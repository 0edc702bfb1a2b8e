package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.pickle.Globals;
import dev.smelt.formats.pickle.PickleReader;
import dev.smelt.formats.pickle.PickleValue;
import dev.smelt.formats.zip.ZipArchive;
import dev.smelt.formats.zip.ZipWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * A checkpoint in a zip archive, as {@code torch.save} writes it since PyTorch 1.6 and {@code
 * torch.jit.save} since 1.4. All entries lie below one folder of any name:
 *
 * <table>
 * <caption>Entries</caption>
 * <tr><td>{@code data.pkl}</td><td>the saved object; tensors name storages by key</td></tr>
 * <tr><td>{@code data/<key>}</td><td>one storage, raw, stored without compression</td></tr>
 * <tr><td>{@code byteorder}</td><td>{@code little} or {@code big}; missing means little</td></tr>
 * <tr><td>{@code code/…}, {@code constants.pkl}</td><td>of TorchScript modules only</td></tr>
 * <tr><td>{@code version}, {@code .data/…}, {@code .format_version}, …</td><td>not read</td></tr>
 * </table>
 */
final class ZipCheckpointFile {

  /** With a hundred thousand tensors it is about 20 MB. */
  private static final long MAX_PICKLE_BYTES = 1 << 28;

  private static final int MAX_BYTE_ORDER_BYTES = 16;
  private static final String PICKLE = "data.pkl";

  private final ZipArchive archive;
  private final String where;
  private final String folder;

  private ZipCheckpointFile(ZipArchive archive, String where, String folder) {
    this.archive = archive;
    this.where = where;
    this.folder = folder;
  }

  static TorchFile read(MemorySegment file, String where, Arena arena) {
    ZipCheckpointFile zip = open(file, where);
    TorchTensors found = zip.tensors();
    TensorBuilder builder = new TensorBuilder(zip::data, arena, where, file.byteSize());
    List<TensorView> views = found.tensors().stream().map(builder::build).toList();
    String kind = zip.isScript() ? "TorchScript file" : "PyTorch file";
    return new TorchFile(kind, views, found.metadata());
  }

  static ZipCheckpointFile open(MemorySegment file, String where) {
    ZipArchive archive = ZipArchive.open(file, where);
    List<String> pickles =
        archive.names().stream()
            .filter(name -> name.equals(PICKLE) || name.endsWith("/" + PICKLE))
            .filter(name -> name.indexOf('/') == name.lastIndexOf('/'))
            .toList();
    if (pickles.size() != 1) {
      throw new UnsupportedException(
          "not a PyTorch file",
          where,
          "expected one data.pkl in the zip archive, found " + pickles.size(),
          "");
    }
    String pickle = pickles.getFirst();
    String folder = pickle.substring(0, pickle.length() - PICKLE.length());
    ZipCheckpointFile zip = new ZipCheckpointFile(archive, where, folder);
    zip.requireLittleEndian();
    return zip;
  }

  boolean isScript() {
    return archive.has(folder + "constants.pkl")
        && archive.names().stream().anyMatch(name -> name.startsWith(folder + ScriptModule.CODE));
  }

  TorchTensors tensors() {
    if (!isScript()) {
      return StateDict.select(pickle(TorchGlobals::ofStateDict), where);
    }
    return scriptTensors().asModel();
  }

  /** Of a file for which {@link #isScript} holds. */
  ScriptTensors scriptTensors() {
    return ScriptModule.select(
        pickle(TorchGlobals::ofScript), new ScriptClasses(archive, folder, where), where);
  }

  /**
   * Copies all entries in their order.
   *
   * @param replaced contents by entry
   * @param limit bytes of an entry that is unpacked
   */
  void copyTo(ZipWriter zip, Map<String, MemorySegment> replaced, int limit) {
    for (String name : archive.namesByOffset()) {
      MemorySegment content = replaced.get(name);
      if (content == null) {
        content =
            archive.isStored(name)
                ? archive.stored(name)
                : MemorySegment.ofArray(archive.read(name, limit));
      }
      zip.add(name, content);
    }
  }

  private PickleValue pickle(Globals globals) {
    MemorySegment bytes = archive.stored(folder + PICKLE);
    long start = archive.offset(folder + PICKLE);
    if (bytes.byteSize() > MAX_PICKLE_BYTES) {
      throw new LimitException(
          "pickle too large",
          where + "@" + start,
          "at most " + MAX_PICKLE_BYTES + " bytes, found " + bytes.byteSize(),
          "");
    }
    PickleReader.Result result = PickleReader.read(bytes, globals, where, start);
    if (result.bytes() != bytes.byteSize()) {
      throw new CorruptException(
          "bytes after the pickle",
          where + "@" + (start + result.bytes()),
          "expected " + result.bytes() + " bytes, found " + bytes.byteSize(),
          "");
    }
    return result.value();
  }

  private void requireLittleEndian() {
    String name = folder + "byteorder";
    if (!archive.has(name)) {
      return;
    }
    String order =
        new String(archive.read(name, MAX_BYTE_ORDER_BYTES), StandardCharsets.ISO_8859_1);
    if (order.equals("big")) {
      throw new UnsupportedException(
          "big-endian PyTorch file",
          where + "@" + archive.offset(name),
          "expected 'little', found 'big'",
          "save it again on a little-endian machine");
    }
    if (!order.equals("little")) {
      throw new CorruptException(
          "unknown byte order",
          where + "@" + archive.offset(name),
          "expected 'little', found '" + order + "'",
          "");
    }
  }

  /** The name of the entry that holds a storage. */
  String entry(StorageReference storage) {
    return folder + "data/" + storage.key();
  }

  MemorySegment data(StorageReference storage, String tensor) {
    String name = entry(storage);
    if (!archive.has(name)) {
      throw new CorruptException(
          "storage missing",
          where + "@" + storage.offset() + "|" + tensor,
          "expected the entry '" + name + "' of " + storage.bytes() + " bytes, found none",
          "copy or download the file again");
    }
    MemorySegment data = archive.stored(name);
    String place = where + "@" + archive.offset(name) + "|" + tensor;
    String detail =
        "expected " + storage.bytes() + " bytes in '" + name + "', found " + data.byteSize();
    if (data.byteSize() < storage.bytes()) {
      throw new TruncatedException(
          "storage too short", place, detail, "copy or download the file again");
    }
    if (data.byteSize() > storage.bytes()) {
      throw new CorruptException("storage too long", place, detail, "");
    }
    return data;
  }
}
