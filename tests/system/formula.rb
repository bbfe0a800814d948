# Reads a Homebrew formula without Homebrew: prints as JSON what its service block says, as
# the launchd job that Homebrew would make of it, and which methods the formula defines.
#
#     ruby formula.rb FORMULA.rb
#
# The few words of Homebrew's language that the formula may use stand here; another one is an error.
require "ipaddr"
require "json"
require "pathname"

# One block `service do`, by the rules of Homebrew's own class.
class Job
  KEEP_ALIVE = { successful_exit: "SuccessfulExit", crashed: "Crashed" }.freeze

  attr_reader :said

  def initialize(formula, &block)
    @formula = formula
    @said = { "Label" => "homebrew.mxcl.#{formula.formula_name}", "RunAtLoad" => true }
    instance_eval(&block)
  end

  %i[bin etc libexec opt_bin opt_prefix opt_sbin var].each { |name| define_method(name) { @formula.public_send(name) } }

  def run(command) = @said["ProgramArguments"] = Array(command).map(&:to_s)
  def log_path(path) = @said["StandardOutPath"] = path.to_s
  def error_log_path(path) = @said["StandardErrorPath"] = path.to_s
  def require_root(value) = @said["require_root"] = value

  def process_type(kind)
    raise "process_type #{kind}" unless %i[background standard interactive adaptive].include?(kind)

    @said["ProcessType"] = kind.to_s.capitalize
  end

  def keep_alive(value)
    @said["KeepAlive"] = value.is_a?(Hash) ? value.to_h { |key, on| [KEEP_ALIVE.fetch(key), on] } : value
  end

  def sockets(named)
    @said["Sockets"] = named.to_h do |name, text|
      match = text.match(%r{\A([a-z]+)://(.+):([0-9]+)\z}) or raise "no socket: #{text}"
      IPAddr.new(match[2])
      [name, { "SockNodeName" => match[2], "SockServiceName" => match[3], "SockProtocol" => match[1].upcase }]
    end
  end
end

# What a formula inherits, as far as ours uses it outside of its methods.
class Formula
  PREFIX = Pathname("/opt/homebrew")

  class << self
    attr_reader :job

    %i[desc homepage url sha256 license depends_on].each do |name|
      define_method(name) { |value| (@words ||= {})[name] = value }
    end
    attr_reader :words

    # Homebrew's rule: HeartbeatServer is heartbeat-server.
    def formula_name = name.gsub(/(?<=[a-z0-9])([A-Z])/, '-\1').downcase
    def service(&block) = @job = Job.new(self, &block)
    def test(&block) = define_method(:test, &block)
    def etc = PREFIX / "etc"
    def var = PREFIX / "var"
    def opt_prefix = PREFIX / "opt" / formula_name
    def opt_bin = opt_prefix / "bin"
    def opt_sbin = opt_prefix / "sbin"

    def inherited(formula)
      super
      (@made ||= []) << formula
    end
    attr_reader :made
  end
end

load ARGV.fetch(0)
formula = Formula.made.fetch(0)
puts JSON.generate(name: formula.formula_name, words: formula.words, methods: formula.instance_methods(false),
                   job: formula.job.said)
