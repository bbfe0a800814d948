# Builds both programs from the source tarball. `make source` makes that and fills in its address
# and checksum, which cannot stand in it.
class HeartbeatServer < Formula
  desc "Receives heartbeats from machines and jobs, and knows who is alive"
  homepage "https://heartbeat-server.example/"
  url "@URL@"
  sha256 "@SHA256@"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    # The daemon is for services, as with `make install`.
    sbin.install bin/"heartbeat-server"
    man1.install "man/heartbeat.1"
    man5.install "man/heartbeat-server.toml.5"
    man8.install "man/heartbeat-server.8"
    (man/"zh_CN/man1").install "man/zh_CN/heartbeat.1"
    (man/"zh_CN/man5").install "man/zh_CN/heartbeat-server.toml.5"
    (man/"zh_CN/man8").install "man/zh_CN/heartbeat-server.8"
    generate_completions_from_executable(bin/"heartbeat", "generate", "completions", shells: [:bash, :zsh, :fish])
    generate_completions_from_executable(sbin/"heartbeat-server", "generate", "completions",
                                         shells: [:bash, :zsh, :fish])
    # Homebrew keeps what somebody changed there, and puts a new one beside it as .default.
    (etc/"heartbeat-server").install "packaging/heartbeat-server.toml"
  end

  def post_install
    (var/"lib/heartbeat-server").mkpath
    (var/"log/heartbeat-server").mkpath
  end

  def caveats
    <<~EOS
      Configuration: #{etc}/heartbeat-server/heartbeat-server.toml
      The ports are launchd's while it runs as a service: 7777 for HTTP and 7778 for raw TCP,
      on IPv4. For IPv6, or with a user of its own, take packaging/launchd/install.sh instead.
    EOS
  end

  service do
    # What is logged where is said here, because the targets of the sample configuration are those of Linux.
    run [opt_sbin/"heartbeat-server", "--config", etc/"heartbeat-server/heartbeat-server.toml",
         "--state-dir", var/"lib/heartbeat-server",
         "--log", "file:#{var}/log/heartbeat-server/heartbeat-server.log"]
    # launchd itself listens, and goes on listening while the server is restarted. It takes addresses only.
    sockets http: "tcp://0.0.0.0:7777", tcp: "tcp://0.0.0.0:7778"
    keep_alive successful_exit: false
    process_type :standard
    log_path var/"log/heartbeat-server/stdout.log"
    error_log_path var/"log/heartbeat-server/stderr.log"
  end

  test do
    port = free_port
    raw = free_port
    server = spawn sbin/"heartbeat-server", port.to_s, "--tcp", "127.0.0.1:#{raw}", "--state-dir", testpath/"state"
    begin
      beat = "curl -sS --retry 20 --retry-connrefused --retry-delay 1 -d '{\"id\":\"brew\"}' http://127.0.0.1:#{port}/"
      assert_match '"status":"ok"', shell_output(beat)
      system bin/"heartbeat", "send", "--to", "tcp://127.0.0.1:#{raw}", "--id", "brew-client"
      assert_match "brew-client", shell_output("curl -sS http://127.0.0.1:#{port}/api/v1/monitors/brew-client")
    ensure
      Process.kill "TERM", server
      Process.wait server
    end
  end
end
