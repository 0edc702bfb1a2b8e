package dev.smelt.cli.report;

/** The unit a whole axis is labelled in. */
enum SizeUnit {
  B(1),
  KB(1e3),
  MB(1e6),
  GB(1e9);

  private final double bytes;

  SizeUnit(double bytes) {
    this.bytes = bytes;
  }

  /** The largest unit of which {@code bytes} is at least one. */
  static SizeUnit of(long bytes) {
    SizeUnit unit = B;
    for (SizeUnit larger : values()) {
      if (bytes >= larger.bytes) {
        unit = larger;
      }
    }
    return unit;
  }

  double bytes() {
    return bytes;
  }

  String label() {
    return this == KB ? "kB" : name();
  }
}
