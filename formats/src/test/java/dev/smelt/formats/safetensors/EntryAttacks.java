package dev.smelt.formats.safetensors;

import static dev.smelt.formats.safetensors.Attack.DATA;
import static dev.smelt.formats.safetensors.Attack.ENTRY;
import static dev.smelt.formats.safetensors.Attack.bytes;
import static dev.smelt.formats.safetensors.Attack.entry;
import static dev.smelt.formats.safetensors.Attack.entryOf;
import static dev.smelt.formats.safetensors.Attack.header;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** Files whose entries contradict themselves, each other or the data. */
final class EntryAttacks {

  private EntryAttacks() {}

  static Stream<Attack> all() {
    return Stream.of(fields(), shapes(), offsets(), tilings()).flatMap(attacks -> attacks);
  }

  private static Stream<Attack> fields() {
    return Stream.of(
        entry("entry-a-number", "7", CorruptException.class, "|w", "expected an object"),
        entry("entry-null", "null", CorruptException.class, "|w", "expected an object"),
        header(
            "name-of-a-megabyte",
            "{\"" + "x".repeat(1 << 20) + "\":7}",
            CorruptException.class,
            "xxx … xxx",
            "expected an object"),
        header(
            "name-that-steers-a-terminal",
            "{\"\\u001b[2J\\nw\":7}",
            CorruptException.class,
            "|?[2J?w",
            "expected an object"),
        entry("entry-empty", "{}", CorruptException.class, "|w", "incomplete"),
        entry(
            "unknown-key",
            "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"strides\":[1]}",
            CorruptException.class,
            "|w",
            "'strides'"),
        entry(
            "dtype-missing",
            "{\"shape\":[2],\"data_offsets\":[0,8]}",
            CorruptException.class,
            "|w"),
        entry(
            "shape-missing",
            "{\"dtype\":\"F32\",\"data_offsets\":[0,8]}",
            CorruptException.class,
            "|w"),
        entry("offsets-missing", "{\"dtype\":\"F32\",\"shape\":[2]}", CorruptException.class, "|w"),
        entry(
            "dtype-unknown",
            entryOf("F31", "[2]", "[0,8]"),
            UnsupportedException.class,
            "|w",
            "dtype",
            "'F31'"),
        entry(
            "dtype-lower-case",
            entryOf("f32", "[2]", "[0,8]"),
            UnsupportedException.class,
            "|w",
            "'f32'"),
        entry(
            "dtype-a-number",
            "{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}",
            CorruptException.class,
            "|w",
            "dtype"),
        entry(
            "shape-a-number", entryOf("F32", "2", "[0,8]"), CorruptException.class, "|w", "shape"),
        entry(
            "shape-null", entryOf("F32", "null", "[0,8]"), CorruptException.class, "|w", "shape"));
  }

  private static Stream<Attack> shapes() {
    return Stream.of(
        size("shape-negative", "F32", "[-2]", "found -2"),
        size("shape-minus-zero", "F32", "[-0]", "found -0"),
        size("shape-fraction", "F32", "[2.0]", "whole numbers in shape"),
        size("shape-exponent", "F32", "[2e0]", "whole numbers in shape"),
        size("shape-of-strings", "F32", "[\"2\"]", "whole numbers in shape"),
        size("shape-beyond-64-bit", "F32", "[18446744073709551618]", "18446744073709551618"),
        size("shape-unsigned-64-bit", "F32", "[9223372036854775808]", "9223372036854775808"),
        size("shape-product-overflows", "F32", "[4294967296,4294967296]", "overflow"),
        size("shape-product-wraps-to-two", "U8", "[4611686018427387905,8]", "overflow"),
        size("shape-bytes-overflow", "F64", "[9223372036854775807]", "overflow"),
        size("shape-overflow-before-zero", "F32", "[9223372036854775807,9,0]", "overflow"),
        size("f4-not-filling-bytes", "F4", "[15]", "do not fill bytes"),
        size("f6-not-filling-bytes", "F6_E2M3", "[2]", "do not fill bytes"),
        entry(
            "shape-of-too-many-axes",
            entryOf("F32", "[" + "1,".repeat(64) + "1]", "[0,8]"),
            LimitException.class,
            "|w",
            "at most 64",
            "shape"),
        entry(
            "shape-of-a-thousand-digits",
            entryOf("F32", "[" + "9".repeat(2000) + "]", "[0,8]"),
            CorruptException.class,
            "@"));
  }

  private static Stream<Attack> offsets() {
    return Stream.of(
        entry(
            "offsets-reversed",
            entryOf("F32", "[2]", "[8,0]"),
            CorruptException.class,
            "|w",
            "expected 8 bytes",
            "offsets 8 to 0"),
        entry(
            "size-too-small",
            entryOf("F32", "[2]", "[0,7]"),
            CorruptException.class,
            "|w",
            "expected 8 bytes",
            "offsets 0 to 7"),
        entry(
            "size-too-large",
            entryOf("F32", "[1]", "[0,8]"),
            CorruptException.class,
            "|w",
            "expected 4 bytes",
            "offsets 0 to 8"),
        entry(
            "offset-negative",
            entryOf("F32", "[2]", "[-8,0]"),
            CorruptException.class,
            "|w",
            "data_offsets",
            "found -8"),
        entry(
            "offset-beyond-64-bit",
            entryOf("F32", "[2]", "[0,18446744073709551624]"),
            CorruptException.class,
            "|w",
            "18446744073709551624"),
        entry("one-offset", entryOf("F32", "[2]", "[0]"), CorruptException.class, "|w", "two"),
        entry("no-offsets", entryOf("F32", "[2]", "[]"), CorruptException.class, "|w", "two"),
        entry(
            "three-offsets",
            entryOf("F32", "[2]", "[0,8,16]"),
            LimitException.class,
            "|w",
            "at most 2",
            "data_offsets"));
  }

  private static Stream<Attack> tilings() {
    String valid = "{\"w\":" + ENTRY + "}";
    byte[] file = TestCheckpoints.raw(valid, DATA);
    return Stream.of(
        entry(
            "hole-before-first",
            entryOf("F32", "[1]", "[4,8]"),
            CorruptException.class,
            "hole",
            "|w",
            "expected the tensor at offset 0, found 4"),
        header(
            "hole-between",
            two(entryOf("U8", "[3]", "[0,3]"), entryOf("U8", "[4]", "[4,8]")),
            CorruptException.class,
            "hole",
            "|b",
            "offset 3, found 4"),
        header(
            "overlap",
            two(entryOf("U8", "[5]", "[0,5]"), entryOf("U8", "[4]", "[4,8]")),
            CorruptException.class,
            "overlap",
            "|b",
            "offset 5, found 4"),
        header(
            "same-extent-twice",
            two(ENTRY, ENTRY),
            CorruptException.class,
            "overlap",
            "offset 8, found 0"),
        header(
            "empty-tensor-inside-another",
            two(ENTRY, entryOf("U8", "[0]", "[4,4]")),
            CorruptException.class,
            "overlap",
            "|b"),
        header(
            "empty-tensor-beyond-the-end",
            two(ENTRY, entryOf("U8", "[0]", "[9,9]")),
            CorruptException.class,
            "hole",
            "|b"),
        bytes(
            "data-truncated",
            Arrays.copyOf(file, file.length - 1),
            TruncatedException.class,
            "truncated file",
            "expected 8",
            "found 7"),
        bytes(
            "data-missing",
            Arrays.copyOf(file, file.length - 8),
            TruncatedException.class,
            "expected 8",
            "found 0"),
        bytes(
            "trailing-byte",
            Arrays.copyOf(file, file.length + 1),
            CorruptException.class,
            "after the last tensor",
            "@" + file.length,
            "expected 8",
            "found 9"),
        bytes(
            "data-without-tensors",
            TestCheckpoints.raw("{}", DATA),
            CorruptException.class,
            "after the last tensor",
            "expected 0",
            "found 8"),
        header("data-of-eight-exbibytes", eightExbibytes(), TruncatedException.class, "found 8"));
  }

  /** Ends at 2^63 - 1: adding the header's length to that would overflow. */
  private static String eightExbibytes() {
    long largest = (1L << 60) - 1;
    List<String> entries = new ArrayList<>();
    for (long at = 0; at < Long.MAX_VALUE; ) {
      long bytes = Math.min(largest, Long.MAX_VALUE - at);
      String shape = "[" + bytes + "]";
      entries.add("\"at" + at + "\":" + entryOf("U8", shape, "[" + at + "," + (at + bytes) + "]"));
      at += bytes;
    }
    return "{" + String.join(",", entries) + "}";
  }

  private static String two(String first, String second) {
    return "{\"a\":" + first + ",\"b\":" + second + "}";
  }

  private static Attack size(String fault, String dtype, String shape, String says) {
    return entry(fault, entryOf(dtype, shape, "[0,8]"), CorruptException.class, "|w", says);
  }
}
