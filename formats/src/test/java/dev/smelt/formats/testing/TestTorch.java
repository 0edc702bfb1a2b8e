package dev.smelt.formats.testing;

import dev.smelt.formats.DType;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes files as {@code torch.save} does, without the reader under test. */
public final class TestTorch {

  /** Folder of the entries in a zip; PyTorch takes the name of the file. */
  public static final String FOLDER = "archive/";

  private record Storage(String key, DType type, ByteBuffer data) {

    byte[] bytes() {
      byte[] bytes = new byte[data.capacity()];
      data.get(0, bytes);
      return bytes;
    }

    long elements() {
      return data.capacity() / (type.bits() / Byte.SIZE);
    }
  }

  private record View(
      String name, Storage storage, long first, List<Long> sizes, List<Long> strides) {}

  private final Map<String, Storage> storages = new LinkedHashMap<>();
  private final List<View> views = new ArrayList<>();

  /** Each tensor in a storage of its own. */
  public static TestTorch of(List<TestTensor> tensors) {
    TestTorch file = new TestTorch();
    for (TestTensor tensor : tensors) {
      String key = Integer.toString(file.storages.size());
      long[] sizes = tensor.shape().sizes().toArray();
      file.storage(key, tensor.dtype(), tensor.bytes());
      file.tensor(tensor.name(), key, 0, sizes, contiguous(sizes));
    }
    return file;
  }

  public TestTorch storage(String key, DType type, byte[] data) {
    storages.put(key, new Storage(key, type, ByteBuffer.wrap(data.clone())));
    return this;
  }

  /** A view; first and strides in elements. */
  public TestTorch tensor(String name, String key, long first, long[] sizes, long[] strides) {
    Storage storage = storages.get(key);
    if (storage == null) {
      throw new IllegalArgumentException("no storage " + key);
    }
    views.add(new View(name, storage, first, list(sizes), list(strides)));
    return this;
  }

  private static long[] array(List<Long> values) {
    return values.stream().mapToLong(Long::longValue).toArray();
  }

  private static List<Long> list(long... values) {
    return Arrays.stream(values).boxed().toList();
  }

  /** Row-major strides. */
  public static long[] contiguous(long... sizes) {
    long[] strides = new long[sizes.length];
    long stride = 1;
    for (int axis = sizes.length - 1; axis >= 0; axis--) {
      strides[axis] = stride;
      stride *= Math.max(1, sizes[axis]);
    }
    return strides;
  }

  /** An OrderedDict of the tensors. */
  public byte[] pickle() {
    return putStateDict(PickleAssembler.start(), false).stop();
  }

  /** A dict of the tensors below this key, and the same entries of this dict beside it. */
  public byte[] wrapped(String key, PickleAssembler beside) {
    PickleAssembler pickle = PickleAssembler.start().ops("}(").bytes(beside.unfinished()).text(key);
    return putStateDict(pickle, false).ops("u").stop();
  }

  /** Appends the dict to a pickle in the making. */
  public PickleAssembler putStateDict(PickleAssembler pickle, boolean legacy) {
    pickle.orderedDict().ops("(");
    for (View view : views) {
      pickle.text(view.name);
      putTensor(pickle, view, legacy);
    }
    return pickle.ops("u");
  }

  /** Appends one tensor by its place in the list. */
  public PickleAssembler putTensor(PickleAssembler pickle, int index) {
    putTensor(pickle, views.get(index), false);
    return pickle;
  }

  private static void putTensor(PickleAssembler pickle, View view, boolean legacy) {
    String type = storageType(view.storage.type);
    boolean untyped = type.equals("UntypedStorage");
    pickle.global("torch._utils", untyped ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
    pickle.ops("((").text("storage").global(untyped ? "torch.storage" : "torch", type);
    pickle.text(view.storage.key).text("cpu");
    pickle.whole(untyped ? view.storage.data.capacity() : view.storage.elements());
    pickle
        .ops(legacy ? "NtQ" : "tQ")
        .whole(view.first)
        .tuple(array(view.sizes))
        .tuple(array(view.strides));
    pickle.bool(false).orderedDict();
    if (untyped) {
      pickle.global("torch", view.storage.type.torchName());
    }
    pickle.ops("tR");
  }

  private static String storageType(DType type) {
    return switch (type) {
      case BOOL -> "BoolStorage";
      case U8 -> "ByteStorage";
      case I8 -> "CharStorage";
      case I16 -> "ShortStorage";
      case I32 -> "IntStorage";
      case I64 -> "LongStorage";
      case F16 -> "HalfStorage";
      case BF16 -> "BFloat16Storage";
      case F32 -> "FloatStorage";
      case F64 -> "DoubleStorage";
      case C64 -> "ComplexFloatStorage";
      default -> "UntypedStorage";
    };
  }

  public byte[] zip() {
    return zip(pickle());
  }

  /** The storages below another pickle. */
  public byte[] zip(byte[] pickle) {
    return addStorages(head(pickle)).bytes();
  }

  /** An archive with its pickle and byte order, to which storages may be added. */
  public static TestZip head(byte[] pickle) {
    return new TestZip()
        .stored(FOLDER + "data.pkl", pickle)
        .stored(FOLDER + "byteorder", "little")
        .stored(FOLDER + "version", "3\n");
  }

  public TestZip addStorages(TestZip zip) {
    for (Storage storage : storages.values()) {
      zip.stored(FOLDER + "data/" + storage.key, storage.bytes());
    }
    return zip;
  }

  public byte[] legacy() {
    return legacy(putStateDict(PickleAssembler.start(), true).stop());
  }

  /** The storages after another pickle. */
  public byte[] legacy(byte[] pickle) {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes(legacyHead(true));
    file.writeBytes(pickle);
    PickleAssembler keys = PickleAssembler.start().ops("](");
    storages.keySet().forEach(keys::text);
    file.writeBytes(keys.ops("e").stop());
    for (Storage storage : storages.values()) {
      boolean untyped = storageType(storage.type).equals("UntypedStorage");
      long count = untyped ? storage.data.capacity() : storage.elements();
      file.writeBytes(
          ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(count).array());
      file.writeBytes(storage.bytes());
    }
    return file.toByteArray();
  }

  /** Magic number, version and system information. */
  public static byte[] legacyHead(boolean littleEndian) {
    ByteArrayOutputStream head = new ByteArrayOutputStream();
    int[] magic = {0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    head.writeBytes(PickleAssembler.start().raw(magic).stop());
    head.writeBytes(PickleAssembler.start().whole(1001).stop());
    head.writeBytes(
        PickleAssembler.start()
            .ops("}(")
            .text("protocol_version")
            .whole(1001)
            .text("little_endian")
            .bool(littleEndian)
            .ops("u")
            .stop());
    return head.toByteArray();
  }
}
