package dev.smelt.formats.pickle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.None;
import dev.smelt.formats.pickle.PickleValue.Real;
import dev.smelt.formats.pickle.PickleValue.Sequence;
import dev.smelt.formats.pickle.PickleValue.Text;
import dev.smelt.formats.pickle.PickleValue.Tuple;
import dev.smelt.formats.pickle.PickleValue.Whole;
import dev.smelt.formats.testing.PickleAssembler;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Values; refusals are tested where files are read. */
class PickleReaderTest {

  private static final Globals DICTS =
      (_, name) -> name.equals("OrderedDict") ? Optional.of(Globals.Use.DICT) : Optional.empty();

  private static PickleValue read(PickleAssembler pickle) {
    return PickleReader.read(MemorySegment.ofArray(pickle.stop()), DICTS, "memory", 0).value();
  }

  private static void assertNumber(String expected, PickleAssembler pickle) {
    assertThat(read(pickle)).isEqualTo(new Whole(new BigInteger(expected)));
  }

  private static PickleAssembler start() {
    return PickleAssembler.start();
  }

  @Test
  void numbers() {
    assertNumber("-1", start().ops("J").u32(-1));
    assertNumber("255", start().raw('K', 255));
    assertNumber("65535", start().raw('M', 255, 255));
    assertNumber("0", start().raw(0x8a, 0));
    assertNumber("-128", start().raw(0x8a, 1, 0x80));
    assertNumber("128", start().raw(0x8a, 2, 0x80, 0));
    assertNumber("18446744073709551616", start().raw(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1));
    assertThat(new Whole(new BigInteger("9223372036854775807")).asLong()).contains(Long.MAX_VALUE);
    assertThat(new Whole(new BigInteger("9223372036854775808")).asLong()).isEmpty();
    assertThat(read(start().real(-0.1))).isEqualTo(new Real(-0.1));
  }

  @Test
  void stringsOfEveryOpcode() {
    byte[] utf8 = "naïve".getBytes(StandardCharsets.UTF_8);
    for (PickleAssembler opcode :
        List.of(
            start().raw('X', utf8.length, 0, 0, 0),
            start().raw(0x8c, utf8.length),
            start().raw(0x8d).u64(utf8.length),
            start().raw('T', utf8.length, 0, 0, 0),
            start().raw('U', utf8.length))) {
      assertThat(read(opcode.bytes(utf8))).isEqualTo(new Text("naïve"));
    }
  }

  @Test
  void containersKeepTheirOrder() {
    PickleValue value = read(start().ops("](NK\1\u0086K\2K\3\u0086}e"));
    assertThat(value).isInstanceOf(Sequence.class);
    List<PickleValue> items = value.parts();
    assertThat(items).hasSize(3);
    assertThat(items.getFirst().parts()).hasSize(2);
    assertThat(items.get(2)).isInstanceOf(Dict.class);
  }

  /** Python 2 gives an OrderedDict its pairs as one argument. */
  @Test
  void orderedDictsOfBothPythons() {
    PickleAssembler two = start().global("collections", "OrderedDict");
    two.ops("](](").text("b").whole(1).ops("e](").text("a").whole(2).ops("ee").raw(0x85).ops("R");
    PickleAssembler three = start().orderedDict().ops("(");
    three.text("b").whole(1).text("a").whole(2).ops("u");
    for (PickleAssembler pickle : List.of(two, three)) {
      assertThat(read(pickle))
          .isInstanceOfSatisfying(
              Dict.class,
              dict ->
                  assertThat(dict.entries().stream().map(PickleValue.Entry::key))
                      .containsExactly(new Text("b"), new Text("a")));
    }
  }

  @Test
  void theMemoGivesTheSameValue() {
    PickleValue value = read(start().ops("]q\7h\7\u0086"));
    assertThat(value).isInstanceOf(Tuple.class);
    assertThat(value.parts().get(0)).isSameAs(value.parts().get(1));
  }

  @Test
  void whatFollowsIsNotLookedAt() {
    byte[] bytes = start().ops("N").ops(".garbage").unfinished();
    PickleReader.Result result =
        PickleReader.read(MemorySegment.ofArray(bytes), DICTS, "memory", 0);
    assertThat(result.value()).isEqualTo(None.NONE);
    assertThat(result.bytes()).isEqualTo(4);
  }

  @Test
  void stringsAreBoundedTogether() {
    int length = 1 << 20;
    ByteBuffer pickle = ByteBuffer.allocate(65 * (length + 6) + 3).order(ByteOrder.LITTLE_ENDIAN);
    pickle.put((byte) 0x80).put((byte) 2).put((byte) ']');
    while (pickle.hasRemaining()) {
      pickle.put((byte) 'X').putInt(length).position(pickle.position() + length).put((byte) 'a');
    }
    MemorySegment bytes = MemorySegment.ofBuffer(pickle.flip());
    assertThatThrownBy(() -> PickleReader.read(bytes, DICTS, "memory", 0))
        .isExactlyInstanceOf(LimitException.class)
        .hasMessageContaining("too many strings");
  }
}
