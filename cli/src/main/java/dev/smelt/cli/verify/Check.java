package dev.smelt.cli.verify;

/**
 * One thing that was checked.
 *
 * @param check what was checked: "sha256", "relative error", …
 * @param subject the file or tensor
 * @param detail expected against found; empty when it holds
 */
public record Check(String check, String subject, boolean ok, String detail) {

  static Check equal(String check, String subject, Object expected, Object found) {
    boolean ok = expected.equals(found);
    return new Check(check, subject, ok, ok ? "" : "expected " + expected + ", found " + found);
  }
}
