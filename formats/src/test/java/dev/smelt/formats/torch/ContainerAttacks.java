package dev.smelt.formats.torch;

import static dev.smelt.formats.torch.Attack.TENSOR;
import static dev.smelt.formats.torch.Attack.bytes;
import static dev.smelt.formats.torch.Attack.start;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestTorch;
import dev.smelt.formats.testing.TestZip;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** Zip archives and legacy files that are damaged or lie about their parts. */
final class ContainerAttacks {

  private static final TestTorch FILE = TestTorch.of(List.of(TENSOR));
  private static final String PICKLE = TestTorch.FOLDER + "data.pkl";
  private static final String DATA = TestTorch.FOLDER + "data/0";

  private ContainerAttacks() {}

  static Stream<Attack> all() {
    return Stream.concat(zips(), legacy());
  }

  private static TestZip head() {
    return TestTorch.head(FILE.pickle());
  }

  private static Stream<Attack> zips() {
    byte[] whole = FILE.zip();
    return Stream.of(
        bytes(
            "zip-without-directory",
            Arrays.copyOf(whole, whole.length - 30),
            TruncatedException.class,
            "without its directory"),
        bytes(
            "zip-with-a-hole",
            insert(whole, whole.length - 60),
            CorruptException.class,
            "zip directory"),
        bytes(
            "zip-extended",
            Arrays.copyOf(whole, whole.length + 9),
            TruncatedException.class,
            "without its directory"),
        bytes(
            "storage-deflated",
            head().deflated(DATA, TENSOR.bytes()).bytes(),
            UnsupportedException.class,
            "compressed",
            DATA),
        bytes(
            "pickle-deflated",
            FILE.addStorages(new TestZip().deflated(PICKLE, FILE.pickle())).bytes(),
            UnsupportedException.class,
            "compressed"),
        bytes(
            "storage-encrypted",
            head().encrypted(DATA, TENSOR.bytes()).bytes(),
            UnsupportedException.class,
            "encrypted"),
        bytes(
            "two-entries-of-one-name",
            FILE.addStorages(FILE.addStorages(head())).bytes(),
            CorruptException.class,
            "one name",
            DATA),
        bytes(
            "two-entries-over-one-place",
            FILE.addStorages(head()).again("archive/data/1").bytes(),
            CorruptException.class,
            "two names"),
        bytes(
            "entry-inside-another",
            FILE.addStorages(head())
                .stored("one", new TestZip().stored("two", TENSOR.bytes()).bytes())
                .insideLast("two", TENSOR.bytes())
                .bytes(),
            CorruptException.class,
            "overlapping",
            "'two' begins inside 'one'"),
        bytes(
            "entry-of-two-names",
            head().renamed(DATA, "archive/data/7", TENSOR.bytes()).bytes(),
            CorruptException.class,
            "two names"),
        bytes(
            "big-endian",
            FILE.addStorages(
                    new TestZip()
                        .stored(PICKLE, FILE.pickle())
                        .stored(TestTorch.FOLDER + "byteorder", "big"))
                .bytes(),
            UnsupportedException.class,
            "big-endian"),
        bytes(
            "unknown-byte-order",
            FILE.addStorages(
                    new TestZip()
                        .stored(PICKLE, FILE.pickle())
                        .stored(TestTorch.FOLDER + "byteorder", "middle"))
                .bytes(),
            CorruptException.class,
            "'middle'"),
        bytes(
            "byte-order-of-a-kilobyte",
            FILE.addStorages(
                    new TestZip()
                        .stored(PICKLE, FILE.pickle())
                        .stored(TestTorch.FOLDER + "byteorder", "x".repeat(1_000)))
                .bytes(),
            LimitException.class,
            "byteorder"),
        bytes(
            "zip-without-pickle",
            new TestZip().stored("readme.txt", "hello").bytes(),
            UnsupportedException.class,
            "not a PyTorch file",
            "found 0"),
        bytes(
            "zip-of-two-pickles",
            head().stored("other/data.pkl", FILE.pickle()).bytes(),
            UnsupportedException.class,
            "found 2"),
        bytes(
            "script-of-unknown-class",
            new TestZip()
                .stored(
                    PICKLE, start().global("__torch__", "Net").ops(")").raw(0x81).ops("}b").stop())
                .stored(TestTorch.FOLDER + "constants.pkl", start().ops(")").stop())
                .stored(TestTorch.FOLDER + "code/__torch__.py", "class Other(Module):\n")
                .bytes(),
            CorruptException.class,
            "expected Net"));
  }

  private static byte[] insert(byte[] whole, int at) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(whole, 0, at);
    out.write(0);
    out.write(whole, at, whole.length - at);
    return out.toByteArray();
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  private static Stream<Attack> legacy() {
    byte[] whole = FILE.legacy();
    byte[] object = FILE.putStateDict(PickleAssembler.start(), true).stop();
    byte[] otherSize = whole.clone();
    otherSize[whole.length - 16] = 3;
    return Stream.of(
        bytes("bare-pickle", FILE.pickle(), UnsupportedException.class, "0x1950a86a20f9469cfc6c"),
        bytes(
            "legacy-of-another-version",
            join(Arrays.copyOf(TestTorch.legacyHead(true), 15), start().whole(1002).stop(), object),
            UnsupportedException.class,
            "expected 1001"),
        bytes(
            "legacy-big-endian",
            join(TestTorch.legacyHead(false), object),
            UnsupportedException.class,
            "big-endian"),
        bytes(
            "legacy-storage-of-another-size",
            otherSize,
            CorruptException.class,
            "expected 2 elements, found 3"),
        bytes(
            "legacy-storage-cut",
            Arrays.copyOf(whole, whole.length - 1),
            TruncatedException.class,
            "expected 8 bytes, found 7"),
        bytes(
            "legacy-size-cut",
            Arrays.copyOf(whole, whole.length - 9),
            TruncatedException.class,
            "storage '0'"),
        bytes(
            "legacy-extended",
            Arrays.copyOf(whole, whole.length + 1),
            CorruptException.class,
            "after the last storage"),
        bytes(
            "legacy-storage-missing",
            join(TestTorch.legacyHead(true), object, start().ops("]").stop()),
            CorruptException.class,
            "storage missing",
            "|w"),
        bytes(
            "legacy-storage-that-nothing-names",
            new TestTorch().storage("5", DType.F32, new byte[4]).legacy(object),
            CorruptException.class,
            "nothing names",
            "found 5"),
        bytes(
            "legacy-keys-no-list",
            join(TestTorch.legacyHead(true), object, start().ops("}").stop()),
            CorruptException.class,
            "list of keys"));
  }
}
