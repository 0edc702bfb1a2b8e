package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.pickle.PickleValue;
import dev.smelt.formats.pickle.PickleValue.Global;
import dev.smelt.formats.pickle.PickleValue.None;
import dev.smelt.formats.pickle.PickleValue.PersistentId;
import dev.smelt.formats.pickle.PickleValue.Text;
import dev.smelt.formats.pickle.PickleValue.Tuple;
import dev.smelt.formats.pickle.PickleValue.Whole;
import java.util.List;

/**
 * A storage as a pickle names it: {@code ("storage", torch.FloatStorage, key, location, elements)},
 * in legacy files with a sixth item for views.
 *
 * @param type of its elements
 * @param offset where in the file the pickle names it
 */
record StorageReference(String key, DType type, long elements, long offset) {

  private static final int ITEMS = 5;
  private static final int ITEMS_LEGACY = 6;

  /** Bytes of data; exact, since elements are bounded on reading. */
  long bytes() {
    return type.bytes(elements);
  }

  /**
   * @param where the file, for refusals
   */
  static StorageReference of(PersistentId id, String where) {
    String place = where + "@" + id.offset();
    if (!(id.id() instanceof Tuple tuple) || tuple.items().size() < ITEMS) {
      throw malformed(place);
    }
    List<PickleValue> items = tuple.items();
    if (items.size() > ITEMS_LEGACY
        || !(items.get(0) instanceof Text kind)
        || !kind.value().equals("storage")
        || !(items.get(1) instanceof Global type)
        || !(items.get(2) instanceof Text key)
        || !(items.get(4) instanceof Whole count)) {
      throw malformed(place);
    }
    if (items.size() == ITEMS_LEGACY && items.get(5) != None.NONE) {
      throw new UnsupportedException(
          "storage is a view of another one", place, "found key " + key.value(), "save it again");
    }
    DType dtype =
        TorchGlobals.storageType(type)
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "storage of an unknown type",
                        place,
                        "found " + type.qualified(),
                        "convert the tensor before saving it"));
    long elements =
        count
            .asLong()
            .filter(n -> n >= 0 && n <= Long.MAX_VALUE / Long.SIZE)
            .orElseThrow(
                () ->
                    new CorruptException(
                        "impossible size of a storage", place, "found " + count.value(), ""));
    return new StorageReference(key.value(), dtype, elements, id.offset());
  }

  private static CorruptException malformed(String place) {
    return new CorruptException(
        "malformed reference to a storage",
        place,
        "expected ('storage', type, key, location, elements)",
        "");
  }
}
