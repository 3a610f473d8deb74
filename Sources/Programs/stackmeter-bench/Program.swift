internal import StackmeterBench

@main
enum Program {
  static func main() async {
    await BenchCommand.runProgram()
  }
}
