package dev.smelt.cli.command;

import dev.smelt.cli.Version;
import dev.smelt.cli.doctor.MachineReport;
import dev.smelt.cli.text.Format;
import dev.smelt.gpu.engine.ComputeDevice;
import java.util.Locale;
import picocli.CommandLine.Command;

/** Says what this machine offers, measures it for a moment, and names what will be slow. */
@Command(
    name = "doctor",
    description =
        "Show engine, device, threads and memory; measure; say what will be slow and why.",
    footer = {"%nExample:%n  smelt doctor --device gpu"})
public final class DoctorCommand extends SmeltCommand {

  @Override
  protected Result execute() {
    try (ComputeDevice device = root().openDevice()) {
      MachineReport report = MachineReport.measure(device, Version.text());
      return Result.of(report, () -> text(report));
    }
  }

  private static String text(MachineReport report) {
    StringBuilder text = new StringBuilder();
    line(text, "smelt", report.smelt());
    line(text, "java", report.java());
    line(text, "system", report.system() + ", " + report.processors() + " processors");
    line(text, "memory", Format.bytes(report.memoryBytes()));
    line(text, "java heap", "at most " + Format.bytes(report.heapBytes()));
    line(text, "engine", "PyTorch " + report.pytorch() + " through DJL " + report.djl());
    line(text, "natives", report.natives());
    line(text, "device", report.device() + ", " + report.gpus() + " GPUs usable");
    line(
        text,
        "product",
        String.format(Locale.ROOT, "%.1f GFLOP/s (f64, 1024³)", report.productGflops()));
    line(
        text,
        "eigenvalues",
        String.format(Locale.ROOT, "%.0f ms (f64, 512²)", report.eigenSeconds() * 1000));
    report.limits().forEach(limit -> line(text, "limit", limit));
    return text.toString();
  }

  private static void line(StringBuilder text, String key, String value) {
    text.append(String.format("%-12s %s%n", key, value));
  }
}
