package dev.smelt.gpu.torch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes a TorchScript module that has methods and no parameters.
 *
 * <p>The archive is a zip whose entries are stored, never deflated, below one folder:
 *
 * <table>
 * <caption>Entries, in order</caption>
 * <tr><td>{@code data.pkl}</td><td>pickle, protocol 2: an instance of {@code __torch__.<class>} with
 *     the state {@code {"training": True}}</td></tr>
 * <tr><td>{@code code/__torch__.py}</td><td>the class, in TorchScript's own syntax</td></tr>
 * <tr><td>{@code constants.pkl}</td><td>pickle of the empty tuple</td></tr>
 * <tr><td>{@code version}</td><td>the version of the operator set, in decimal</td></tr>
 * </table>
 */
final class ScriptArchive {

  /** Of libtorch 1.12 to 2.x. Below 10, {@code gelu} is read as the operator without variants. */
  private static final String OPERATOR_SET_VERSION = "10\n";

  private static final byte[] EMPTY_TUPLE = {(byte) 0x80, 2, ')', '.'};

  private ScriptArchive() {}

  /**
   * @param className the class that {@code code} defines
   * @param code TorchScript source with one class
   */
  static byte[] of(String className, String code) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      store(zip, "data.pkl", instanceOf(className));
      store(zip, "code/__torch__.py", code.getBytes(StandardCharsets.UTF_8));
      store(zip, "constants.pkl", EMPTY_TUPLE);
      store(zip, "version", OPERATOR_SET_VERSION.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
    return bytes.toByteArray();
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 checksum = new CRC32();
    checksum.update(content);
    ZipEntry entry = new ZipEntry("functions/" + name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    entry.setCrc(checksum.getValue());
    entry.setTime(0);
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }

  /**
   * {@code PROTO 2, GLOBAL __torch__ <class>, EMPTY_TUPLE, NEWOBJ, EMPTY_DICT, BINUNICODE
   * "training", NEWTRUE, SETITEM, BUILD, STOP}.
   */
  private static byte[] instanceOf(String className) {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    pickle.writeBytes(new byte[] {(byte) 0x80, 2});
    pickle.writeBytes(("c__torch__\n" + className + "\n").getBytes(StandardCharsets.US_ASCII));
    pickle.writeBytes(new byte[] {')', (byte) 0x81, '}', 'X', 8, 0, 0, 0});
    pickle.writeBytes("training".getBytes(StandardCharsets.US_ASCII));
    pickle.writeBytes(new byte[] {(byte) 0x88, 's', 'b', '.'});
    return pickle.toByteArray();
  }
}
