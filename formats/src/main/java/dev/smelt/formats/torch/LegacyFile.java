package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.pickle.PickleReader;
import dev.smelt.formats.pickle.PickleValue;
import dev.smelt.formats.pickle.PickleValue.Bool;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.Entry;
import dev.smelt.formats.pickle.PickleValue.PersistentId;
import dev.smelt.formats.pickle.PickleValue.Sequence;
import dev.smelt.formats.pickle.PickleValue.Text;
import dev.smelt.formats.pickle.PickleValue.Whole;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint as {@code torch.save} wrote it before PyTorch 1.6.
 *
 * <table>
 * <caption>Parts, one after the other</caption>
 * <tr><td>pickle</td><td>the number 0x1950a86a20f9469cfc6c</td></tr>
 * <tr><td>pickle</td><td>1001, the version</td></tr>
 * <tr><td>pickle</td><td>dict with {@code little_endian}</td></tr>
 * <tr><td>pickle</td><td>the saved object; tensors name storages by key</td></tr>
 * <tr><td>pickle</td><td>list of the keys, in the order of what follows</td></tr>
 * <tr><td>for each key</td><td>u64 number of elements, then the elements, raw</td></tr>
 * </table>
 */
final class LegacyFile {

  private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
  private static final BigInteger VERSION = BigInteger.valueOf(1001);

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment file;
  private final String where;
  private final Map<String, MemorySegment> storages = new HashMap<>();
  private long at;

  private LegacyFile(MemorySegment file, String where) {
    this.file = file;
    this.where = where;
  }

  static TorchFile read(MemorySegment file, String where, Arena arena) {
    return new LegacyFile(file, where).read(arena);
  }

  private TorchFile read(Arena arena) {
    readHead();
    PickleValue object = next();
    long keysAt = at;
    if (!(next() instanceof Sequence keys)) {
      throw corrupt("malformed list of storages", keysAt, "expected a list of keys");
    }
    readStorages(keys, references(object), keysAt);
    TorchTensors found = StateDict.select(object, where);
    TensorBuilder builder = new TensorBuilder(this::data, arena, where, file.byteSize());
    List<TensorView> views = found.tensors().stream().map(builder::build).toList();
    return new TorchFile("legacy PyTorch file", views, found.metadata());
  }

  private void readHead() {
    if (!(next() instanceof Whole magic) || !magic.value().equals(MAGIC)) {
      throw new UnsupportedException(
          "not a PyTorch file",
          where + "@0",
          "expected a pickle of the number 0x" + MAGIC.toString(16),
          "a bare pickle is not read; save it with torch.save");
    }
    long versionAt = at;
    if (!(next() instanceof Whole version) || !version.value().equals(VERSION)) {
      throw new UnsupportedException(
          "legacy PyTorch file of another version", where + "@" + versionAt, "expected 1001", "");
    }
    long systemAt = at;
    if (!(next() instanceof Dict system)) {
      throw corrupt("malformed system information", systemAt, "expected a dict");
    }
    for (Entry entry : system.entries()) {
      if (entry.key() instanceof Text key
          && key.value().equals("little_endian")
          && entry.value() instanceof Bool little) {
        if (!little.value()) {
          throw new UnsupportedException(
              "big-endian PyTorch file",
              where + "@" + systemAt,
              "expected little_endian True",
              "save it again on a little-endian machine");
        }
        return;
      }
    }
    throw corrupt("malformed system information", systemAt, "expected the key little_endian");
  }

  private PickleValue next() {
    PickleReader.Result result =
        PickleReader.read(file.asSlice(at), TorchGlobals::ofStateDict, where, at);
    at += result.bytes();
    return result.value();
  }

  /** Every storage that the object names, also where nothing of the model uses it. */
  private Map<String, StorageReference> references(PickleValue object) {
    Map<String, StorageReference> found = new HashMap<>();
    Set<PickleValue> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    collect(object, seen, found);
    return found;
  }

  private void collect(
      PickleValue value, Set<PickleValue> seen, Map<String, StorageReference> found) {
    if (!seen.add(value)) {
      return;
    }
    if (value instanceof PersistentId id) {
      StorageReference reference = StorageReference.of(id, where);
      StorageReference other = found.putIfAbsent(reference.key(), reference);
      if (other != null && (other.type() != reference.type())) {
        throw corrupt(
            "storage of two types",
            reference.offset(),
            "'" + reference.key() + "' is " + other.type() + " and " + reference.type());
      }
    }
    value.parts().forEach(part -> collect(part, seen, found));
  }

  private void readStorages(Sequence keys, Map<String, StorageReference> references, long keysAt) {
    for (PickleValue item : keys.items()) {
      @Nullable StorageReference reference =
          item instanceof Text key ? references.get(key.value()) : null;
      if (reference == null) {
        throw corrupt("storage that nothing names", keysAt, "found " + new Descriptions().of(item));
      }
      MemorySegment data = readStorage(reference);
      if (storages.putIfAbsent(reference.key(), data) != null) {
        throw corrupt("storage listed twice", keysAt, "found '" + reference.key() + "'");
      }
    }
    if (at != file.byteSize()) {
      throw corrupt(
          "bytes after the last storage",
          at,
          "expected " + at + " bytes, found " + file.byteSize());
    }
  }

  private MemorySegment readStorage(StorageReference reference) {
    String storage = "storage '" + reference.key() + "'";
    if (file.byteSize() - at < Long.BYTES) {
      throw truncated(storage, Long.BYTES);
    }
    long elements = file.get(LONG, at);
    if (elements != reference.elements()) {
      throw corrupt(
          "storage of another size",
          at,
          storage + ": expected " + reference.elements() + " elements, found " + elements);
    }
    at += Long.BYTES;
    long bytes = reference.bytes();
    if (file.byteSize() - at < bytes) {
      throw truncated(storage, bytes);
    }
    MemorySegment data = file.asSlice(at, bytes);
    at += bytes;
    return data;
  }

  private MemorySegment data(StorageReference storage, String tensor) {
    @Nullable MemorySegment data = storages.get(storage.key());
    if (data == null) {
      throw new CorruptException(
          "storage missing",
          where + "@" + storage.offset() + "|" + tensor,
          "expected '" + storage.key() + "' in the list of storages, found none",
          "copy or download the file again");
    }
    if (data.byteSize() != storage.bytes()) {
      throw corrupt(
          "storage of two sizes",
          storage.offset(),
          "'" + storage.key() + "': " + storage.bytes() + " bytes and " + data.byteSize());
    }
    return data;
  }

  private TruncatedException truncated(String storage, long expected) {
    return new TruncatedException(
        "file ends before its storages",
        where + "@" + at,
        storage + ": expected " + expected + " bytes, found " + (file.byteSize() - at),
        "copy or download the file again");
  }

  private CorruptException corrupt(String what, long offset, String detail) {
    return new CorruptException(what, where + "@" + offset, detail, "");
  }
}
